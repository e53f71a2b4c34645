"""What is in RAM of which scope: the whole of it, or what fits and what the store finds for a query."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from bed.chroma import chroma_server, make_database
from bed.engines import opened_engine

from litellm_memory.errors import StoreError
from litellm_memory.index.ranking import best_first
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.index.scopes import ScopeIndexes
from litellm_memory.index.vectors import HALF_FROM
from litellm_memory.ledger import Trace
from litellm_memory.memories import recall
from litellm_memory.memories.query import Query
from litellm_memory.models import Memory, Scope, namespace
from litellm_memory.settings import StoreSettings
from litellm_memory.store import Entry, Store, memory_id, open_store

KEY = b"a key of the tests"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DIMENSION = 32


def remembered(text: str, *, user: str = "ann") -> Memory:
    return Memory(memory_id(namespace("p", user), text, key=KEY), "p", user, text, "fact", NOON, tokens=3)


def axis(number: int) -> np.ndarray:
    return np.eye(DIMENSION, dtype=np.float32)[number]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with chroma_server(tmp_path_factory.mktemp("chroma")) as port:
        yield port


@pytest.fixture
async def store(port: int, tmp_path: Path) -> AsyncIterator[Store]:
    """A store of thirty memories of ann, each with an axis of its own but for the last two."""
    make_database(port, tmp_path.name)
    place = StoreSettings(mode="server", port=port, database=tmp_path.name)
    opened = await open_store(place, tmp_path, embedder="test", dimension=DIMENSION)
    await opened.put([Entry(remembered(f"Bird number{n} sings."), axis(n) if n < 28 else None) for n in range(30)])
    yield opened
    await opened.aclose()


def of_size(store: Store, memories: int) -> ScopeIndexes:
    """Indexes whose cap lets so many memories be."""
    one = ScopeIndex(DIMENSION).bytes_per_memory
    return ScopeIndexes(lambda: store, max_bytes=memories * one)


def texts(index: ScopeIndex) -> set[str]:
    return {memory.text for memory in index.all()}


def birds(*numbers: int) -> set[str]:
    return {f"Bird number{n} sings." for n in numbers}


async def test_a_scope_that_fits_is_whole(store: Store) -> None:
    indexes = of_size(store, 40)
    assert indexes.complete_or_start_load("p", "ann") is None
    index = await indexes.load("p", "ann")
    assert indexes.complete_or_start_load("p", "ann") is index
    assert texts(index) == birds(*range(30))


async def test_of_a_scope_too_large_the_newest_are_in_ram_and_the_store_finds_the_rest(store: Store) -> None:
    indexes = of_size(store, 20)
    index = await indexes.load("p", "ann")
    assert texts(index) == birds(*range(15, 30))
    assert indexes.complete_or_start_load("p", "ann") is None
    await store.put([Entry(remembered("The heron nests."), None)])
    found = await indexes.add_from_store("p", "ann", vector=axis(3), text="Which heron?", seconds=20)
    assert found is index
    assert {"The heron nests.", *birds(3)} <= texts(index)


async def test_what_a_query_brought_is_forgotten_like_everything_else(store: Store) -> None:
    indexes = of_size(store, 20)
    old = remembered("Bird number3 sings.")
    await indexes.load("p", "ann")
    index = await indexes.add_from_store("p", "ann", vector=None, text="number3", seconds=20)
    assert old.text in texts(index)
    await store.delete("p", [old.id])
    await indexes.refresh([(old.namespace, old.id)])
    assert await indexes.add_from_store("p", "ann", vector=None, text="number3", seconds=20) is index
    assert old.text not in texts(index)


async def test_what_changes_while_the_store_is_asked_is_not_undone_by_its_answer(store: Store) -> None:
    indexes = of_size(store, 20)
    old = remembered("Bird number3 sings.")
    index = await indexes.load("p", "ann")
    asked, answering = asyncio.Event(), asyncio.Event()
    nearest = store.nearest

    async def slow(*arguments: object) -> list[Entry]:
        found = await nearest(*arguments)  # type: ignore[arg-type]
        asked.set()
        await answering.wait()
        return found

    store.nearest = slow  # type: ignore[method-assign, assignment]
    widening = asyncio.create_task(indexes.add_from_store("p", "ann", vector=axis(3), text="", seconds=20))
    await asked.wait()
    await store.delete("p", [old.id])
    await indexes.refresh([(old.namespace, old.id)])
    answering.set()
    await widening
    assert old.text not in texts(index)


async def test_a_store_that_is_slow_or_gone_leaves_what_is_in_ram(store: Store) -> None:
    indexes = of_size(store, 20)
    await indexes.load("p", "ann")
    index = await indexes.add_from_store("p", "ann", vector=axis(3), text="heron", seconds=0)
    assert texts(index) == birds(*range(15, 30))


async def test_a_scope_of_which_nothing_is_known_yet_does_not_pass_for_an_empty_one(store: Store) -> None:
    indexes = of_size(store, 40)
    assert texts(await indexes.add_from_store("p", "ann", vector=axis(3), text="", seconds=0)) == birds(*range(30))
    again = of_size(store, 40)
    assert texts(await again.add_from_store("p", "ann", vector=None, text="heron", seconds=20)) == birds(*range(30))


async def test_a_load_that_fails_while_the_store_is_asked_does_not_pass_for_an_empty_scope(store: Store) -> None:
    asked = asyncio.Event()

    async def gone_once_asked(*_: object) -> list[str]:
        await asked.wait()
        raise StoreError("gone")

    async def gone(*_: object) -> list[Entry]:
        asked.set()
        await asyncio.wait(loads)
        raise StoreError("gone")

    store.ids, store.nearest = gone_once_asked, gone  # type: ignore[method-assign, assignment]
    indexes = of_size(store, 40)
    assert indexes.complete_or_start_load("p", "ann") is None
    loads = list(indexes._loading.values())
    with pytest.raises(StoreError):
        await indexes.add_from_store("p", "ann", vector=axis(3), text="", seconds=20)


async def test_the_longest_unused_scope_leaves_first(store: Store) -> None:
    for user in ("bob", "cid"):
        await store.put([Entry(remembered(f"{user} {n}", user=user), axis(n)) for n in range(8)])
    indexes = of_size(store, 38)
    for user in ("ann", "bob", "ann", "cid"):
        await indexes.load("p", user)
    assert [indexes.complete_or_start_load("p", user) is not None for user in ("ann", "cid", "bob")] == [
        True,
        True,
        False,
    ]
    await indexes.aclose()


async def test_a_request_does_not_wait_for_a_scope_that_is_being_loaded(tmp_path: Path) -> None:
    """What a search finds then is what the store finds."""
    async with opened_engine(tmp_path) as engine:
        memories = engine.memories
        await memories.restore([remembered("The heron nests behind the mill.")])
        memories._indexes = ScopeIndexes(lambda: memories.store)
        loading = memories._indexes
        loading._newest_that_fit = lambda ids, index: ids[:0]  # type: ignore[method-assign]  # nothing is loaded
        assert texts(await memories.index_for_query("p", "ann", "heron")) == {"The heron nests behind the mill."}


SMALL = 64


async def test_a_large_scope_is_searched_beside_the_event_loop_and_a_small_one_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "MAX_ON_EVENT_LOOP", SMALL)

    def searching() -> int:
        return sum(thread.name.startswith("litellm-memory-search") for thread in threading.enumerate())

    query = Query("Where does the heron nest?", Scope("p", "ann"), limit=1, min_score=0)
    async with opened_engine(tmp_path) as engine:
        vectors = np.random.default_rng(1).normal(size=(SMALL, engine.memories.store.dimension)).astype(np.float32)
        await engine.memories.store.put([Entry(remembered(f"Bird {n} sings."), v) for n, v in enumerate(vectors)])
        before = searching()
        await engine.recall(query, now=NOON)
        assert searching() == before
        await engine.memories.restore([remembered("The heron nests behind the mill.")])
        [found] = (await engine.recall(query, now=NOON)).recalled
        assert (found.memory.text, searching()) == ("The heron nests behind the mill.", before + 1)


async def test_the_scopes_asked_for_last_are_loaded_at_start(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        memories, ledger = engine.memories, engine.ledger
        for number, user in enumerate(["ann", "bob", "ann", "cid"]):
            # Of today: the keeper drops old ones.
            at = datetime.now(UTC) + timedelta(seconds=number)
            trace = Trace(str(number), at, "p", user, namespace("p", user), "empty", "")
            engine.journal.trace(trace)
        async with asyncio.timeout(30):
            while await ledger.traces.scopes(10) != [("p", "cid"), ("p", "ann"), ("p", "bob")]:
                await asyncio.sleep(0.01)
        assert await memories.warm_up() == 3
        assert await memories.warm_up(share=-1) == 0
        loaded = {
            user: memories._indexes.complete_or_start_load("p", user) is not None
            for user in ("ann", "bob", "cid", "dan")
        }
        assert loaded == {"ann": True, "bob": True, "cid": True, "dan": False}


def test_a_large_scope_finds_what_is_nearest_although_its_vectors_are_half_as_exact() -> None:
    random = np.random.default_rng(7)
    vectors = random.standard_normal((HALF_FROM + 500, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bird = remembered("bird")
    index = ScopeIndex(DIMENSION)
    index.put(Entry(replace(bird, id=f"{number:040x}"), vector) for number, vector in enumerate(vectors))
    index.prepare()
    signals = index.signals(vectors[100], "")
    best = islice(best_first(signals.dense, at_least=0.0), 10)
    near = [int(signals.positions[row]) for row in best]
    assert near[0] == 100
    exact = np.argsort(-(vectors @ vectors[100]))[:10].tolist()
    assert len(set(near) & set(exact)) >= 9
