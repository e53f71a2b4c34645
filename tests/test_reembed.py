"""A store moves to another embedder while it is used: nothing is lost, nothing forgotten stays, a kill costs little."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from bed.chroma import chroma_server, make_database

from litellm_memory.care.reembed import Moved, reembed
from litellm_memory.embedding import Embedders
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError, ModelCallError, RefusedTextError, StoreError, StoreMovedError
from litellm_memory.models import Memory, namespace
from litellm_memory.settings import EmbeddingSettings, RecallSettings, Settings, StoreSettings
from litellm_memory.store import Entry, Store, memory_id, open_store
from litellm_memory.store.records import rows_of

Config: TypeAlias = Callable[[str], Settings]
KEY = b"a key of the tests"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SIZES = {"small": 8, "large": 12}


class Models:
    """Two embedding models that know no meaning but length, and remember what they were sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answers = 10**6
        """How many texts are answered before the model is down."""

    def behind(self, model: str) -> str:
        return f"loopback/{model}"

    async def vectors(
        self, model: str, texts: Sequence[str], *, asking: bool, dimensions: int | None, seconds: float
    ) -> list[list[float]]:
        if any("unmentionable" in text for text in texts):
            raise RefusedTextError("no")
        if self.answers < len(texts):
            raise ModelCallError("down")
        self.answers -= len(texts)
        self.sent += texts
        return [[1.0, len(text), *[0.0] * (SIZES[model] - 2)] for text in texts]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with chroma_server(tmp_path_factory.mktemp("chroma")) as port:
        yield port


@pytest.fixture
def config(port: int, tmp_path: Path) -> Config:
    """Settings with the embedding model that is named, on a database that nobody has used."""
    make_database(port, tmp_path.name)

    def named(model: str) -> Settings:
        return Settings(
            data_dir=tmp_path,
            store=StoreSettings(mode="server", port=port, database=tmp_path.name),
            embedding=EmbeddingSettings(model=model, timeout_ms=3000),
            recall=RecallSettings(deadline_ms=5000),
        )

    return named


def remembered(text: str, *, user: str = "ann") -> Memory:
    memory = Memory(memory_id(namespace("p", user), text, key=KEY), "p", user, text, "fact", NOON)
    return replace(memory, tokens=3, reply=f"About {text}: noted.")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a model that is down, and a worker looks at its store every second."""
    monkeypatch.setattr("litellm_memory.care.reembed.TRIES", 1)
    monkeypatch.setattr("litellm_memory.engine.housekeeping.CHECK_EVERY", 1)


@pytest.fixture
async def store(config: Config) -> AsyncIterator[Store]:
    """The store of the model ``small``, open as a worker has it."""
    opened = await made(config, "small")
    yield opened
    await opened.aclose()


async def made(config: Config, model: str) -> Store:
    """The store, for vectors of this model."""
    place = config(model)
    return await open_store(place.store, place.data_dir, embedder=f"loopback/{model}-passages", dimension=SIZES[model])


async def moved(config: Config, models: Models, *, during: asyncio.Event | None = None) -> Moved:
    """Moves the store to the model ``large``; ``during`` is set when the switch is next, which then takes a second."""

    def report(step: str, done: int, total: int) -> None:
        if step == "switching" and during is not None:
            during.set()

    settings = config("large")
    return await reembed(
        settings, Embedders(settings, models), report=report, settle_seconds=1 if during is not None else 0
    )


async def kept(store: Store) -> tuple[str, dict[Memory, list[float] | None]]:
    """The embedder of the store as it is now, and all its memories with their vectors."""
    now = await store.reopened()
    return now.embedder, {entry.memory: _rounded(entry.vector) for entry in await now.load("p")}


def _rounded(vector: np.ndarray | None) -> list[float] | None:
    return None if vector is None else [round(float(value), 4) for value in vector]


def large(memory: Memory) -> list[float]:
    """The vector that the model ``large`` gives to a memory."""
    length = math.hypot(1, len(memory.text))
    return [round(value / length, 4) for value in (1.0, len(memory.text), *[0.0] * 10)]


async def test_every_memory_gets_a_vector_of_the_new_model_and_stays_as_it_was(store: Store, config: Config) -> None:
    memories = [remembered("x" * n, user=user) for n, user in enumerate(["ann", "bob", "cid", "ann"], start=3)]
    await store.put([Entry(memory, None) for memory in memories])
    assert await moved(config, Models()) == Moved("loopback/small-passages", "loopback/large-passages", 4)
    assert await kept(store) == ("loopback/large-passages", {memory: large(memory) for memory in memories})
    now = await store.reopened()
    assert await now.copies() == []
    names = await now.collections.names("memories-")
    assert [name for name in names if not name.startswith(now.layout.prefix)] == []


async def test_a_move_that_broke_off_goes_on_where_it_was(store: Store, config: Config) -> None:
    memories = [remembered(f"{user} {'x' * n}", user=user) for user in ("ann", "bob") for n in range(5)]
    await store.put([Entry(memory, None) for memory in memories])
    models = Models()
    models.answers = 6
    with pytest.raises(ModelCallError, match="down"):
        await moved(config, models)
    assert (await kept(store))[0] == "loopback/small-passages"
    models.answers = 10**6
    await moved(config, models)
    assert sorted(text for text in models.sent if text != "length") == sorted(memory.text for memory in memories)
    assert await kept(store) == ("loopback/large-passages", {memory: large(memory) for memory in memories})


async def test_what_is_forgotten_while_a_move_rests_is_gone_from_the_copy(store: Store, config: Config) -> None:
    memories = [remembered(f"{user} {'x' * n}", user=user) for user in ("ann", "bob") for n in range(5)]
    await store.put([Entry(memory, None) for memory in memories])
    models = Models()
    models.answers = 6
    with pytest.raises(ModelCallError):
        await moved(config, models)
    await store.delete("p", [memory.id for memory in memories])
    [copy] = await store.copies()
    copied = Store(store.collections, copy, store.marker)
    assert [entry async for page in copied.pages("p") for entry in page] == []


async def test_what_is_written_during_the_switch_is_brought_and_what_was_changed_after_it_stays(
    store: Store, config: Config
) -> None:
    late, corrected, forgotten = remembered("late"), remembered("said before"), remembered("forgotten")
    await store.put([Entry(memory, None) for memory in (corrected, forgotten)])
    during = asyncio.Event()
    moving = asyncio.create_task(moved(config, Models(), during=during))
    await during.wait()
    now = await store.reopened()
    while now.embedder == store.embedder:
        now = await store.reopened()
    changed = replace(corrected, text="said afterwards")
    await now.put([Entry(changed, np.eye(12, dtype=np.float32)[3])])
    await now.delete("p", [forgotten.id])
    # A write that was on its way when the store moved.
    await store.collections.upsert(store.layout.collection(late.id), rows_of([Entry(late, None)], SIZES["small"]))
    await moving
    assert await kept(store) == (
        "loopback/large-passages",
        {late: large(late), changed: [0.0] * 3 + [1.0] + [0.0] * 8},
    )


async def test_a_worker_that_has_the_old_store_open_is_refused_its_writes(store: Store, config: Config) -> None:
    await moved(config, Models())
    for write in (store.put([Entry(remembered("late"), None)]), store.delete("p", ["0" * 40]), store.touch({}, NOON)):
        with pytest.raises(StoreMovedError):
            await write
    assert (await store.reopened()).embedder == "loopback/large-passages"


async def test_a_text_that_the_model_refuses_is_kept_without_a_vector(store: Store, config: Config) -> None:
    refused, taken = remembered("unmentionable"), remembered("fine")
    await store.put([Entry(refused, None), Entry(taken, None)])
    assert (await moved(config, Models())).without_vector == 1
    assert (await kept(store))[1] == {refused: None, taken: large(taken)}


async def test_there_is_nothing_to_move_where_there_is_no_store_and_where_the_model_is_in_use(config: Config) -> None:
    with pytest.raises(StoreError, match="no store of memories yet"):
        await moved(config, Models())
    await (await made(config, "large")).aclose()
    assert await moved(config, Models()) == Moved("loopback/large-passages", "loopback/large-passages", 0)


async def test_two_moves_do_not_meet(store: Store, config: Config) -> None:
    await store.put([Entry(remembered("one"), None)])
    during = asyncio.Event()
    first = asyncio.create_task(moved(config, Models(), during=during))
    await during.wait()
    with pytest.raises(LiteLLMMemoryError, match="is at work here"):
        await moved(config, Models())
    await first


async def opened_engine(config: Settings, models: Models) -> Engine:
    engine = Engine(config, count=lambda text: len(text.split()), models=models)  # type: ignore[arg-type]
    engine.open()
    async with asyncio.timeout(30):
        while not engine.health.opened:
            await asyncio.sleep(0.01)
    return engine


async def test_running_workers_take_the_new_model_up_when_the_config_names_it(config: Config) -> None:
    models, memory = Models(), remembered("one")
    engine = await opened_engine(config("small"), models)
    try:
        await engine.memories.restore([memory])
        engine.embedders.prepare_move(config("large"))
        assert (await engine.memories.vectors.query("one")).shape == (8,)
        await moved(config, models)
        async with asyncio.timeout(30):
            while engine.memories.store.embedder != "loopback/large-passages":
                await asyncio.sleep(0.01)
        assert (await engine.memories.vectors.query("one")).shape == (12,)
        assert (await engine.memories.get("p", memory.id)).text == "one"
        assert engine.health.problems() == {}
    finally:
        await engine.aclose()


async def test_a_config_that_names_another_model_than_the_store_is_told_of_and_words_decide(
    store: Store, config: Config
) -> None:
    models = Models()
    engine = await opened_engine(config("large"), models)
    try:
        assert await engine.memories.vectors.query("one") is None
        assert models.sent == []
        assert engine.health.problems() == {
            "model": "The memories' vectors come from loopback/small-passages, so words alone are searched until then, "
            "but the settings name loopback/large-passages: run `litellm-memory reembed`, or name the former again."
        }
    finally:
        await engine.aclose()
