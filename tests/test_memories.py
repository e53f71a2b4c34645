"""Memories that are corrected and forgotten at once: what was forgotten stays so, whichever came first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from unittest.mock import AsyncMock

import numpy as np
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from numpy.typing import NDArray

from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError, StoreError
from litellm_memory.ledger import Ledger, ListFilter
from litellm_memory.memories import Memories
from litellm_memory.models import Memory, namespace
from litellm_memory.store import memory_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NUMBERS = count()


class Waiting:
    """An embedder that makes no vector of a memory before it is told to."""

    identity = "waiting"

    def __init__(self, dimension: int) -> None:
        self._vector = np.eye(1, dimension, dtype=np.float32)[0]
        self.asked = asyncio.Event()
        self.answering = asyncio.Event()

    async def query(self, text: str) -> NDArray[np.float32]:
        return self._vector

    async def documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        self.asked.set()
        await self.answering.wait()
        return [self._vector for _ in texts]

    def close(self) -> None:
        """Holds nothing."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def memories(engine: Engine) -> Memories:
    """Without an embedder: what is kept has no vector."""
    await engine.memories.use(engine.memories.store, None)
    return engine.memories


@pytest.fixture
def known() -> Memory:
    """A memory of a user of its own; not kept yet."""
    user = f"user-{next(NUMBERS)}"
    return Memory(memory_id(namespace("p", user), "tea", key=b"k"), "p", user, "Ann likes tea.", "fact", NOON)


def said(text: str) -> Callable[[Memory], Memory]:
    return lambda memory: replace(memory, text=text)


async def slowly(memories: Memories) -> Waiting:
    """The embedder of ``memories`` from now on."""
    embedder = Waiting(memories.store.dimension)
    await memories.use(memories.store, embedder)
    return embedder


async def texts(memories: Memories, memory: Memory) -> list[str]:
    return [entry.memory.text for entry in await memories.store.load(memory.partition, memory.user)]


async def test_a_memory_that_is_forgotten_while_its_new_text_is_embedded_stays_forgotten(
    memories: Memories, known: Memory
) -> None:
    await memories.keep([known])
    embedder = await slowly(memories)
    correcting = asyncio.create_task(memories.correct("p", known.id, said("Ann likes coffee.")))
    await asyncio.wait_for(embedder.asked.wait(), 5)
    await memories.forget("p", known.id)
    embedder.answering.set()
    with pytest.raises(NotFoundError):
        await correcting
    assert await texts(memories, known) == []


@pytest.mark.parametrize(
    "corrected",
    [said("Ann likes coffee."), lambda memory: replace(memory, pinned=True)],
    ids=["its text", "something else"],
)
async def test_a_memory_that_is_forgotten_just_before_its_correction_is_written_stays_forgotten(
    memories: Memories, known: Memory, corrected: Callable[[Memory], Memory]
) -> None:
    await memories.keep([known])
    correct, write = memories.correct, memories.store.amend

    async def late(*changes: Any) -> None:
        await memories.forget("p", known.id)
        await write(*changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memories.store, "amend", late)
        with pytest.raises(NotFoundError):
            await correct("p", known.id, corrected)
    assert await texts(memories, known) == []


@pytest.mark.parametrize("after", ["before the write", "after the write"])
async def test_a_text_that_was_corrected_and_forgotten_is_held_by_no_memory(
    memories: Memories, known: Memory, after: str
) -> None:
    await memories.keep([known])
    write = memories.store.amend

    async def during(*changes: Any) -> None:
        if after == "before the write":
            await memories.forget("p", known.id)
        await write(*changes)
        if after == "after the write":
            await memories.forget("p", known.id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memories.store, "amend", during)
        with pytest.raises(NotFoundError):
            await memories.correct("p", known.id, said("Ann likes coffee."))
    again = replace(known, id=memory_id(known.namespace, "coffee", key=b"k"), text="Ann likes coffee.")
    assert [memory.id for memory in await memories.keep([again])] == [again.id]


async def test_what_changes_while_a_new_text_is_embedded_is_not_undone(memories: Memories, known: Memory) -> None:
    await memories.keep([known])
    embedder = await slowly(memories)
    correcting = asyncio.create_task(memories.correct("p", known.id, said("Ann likes coffee.")))
    await asyncio.wait_for(embedder.asked.wait(), 5)
    await memories.correct("p", known.id, lambda memory: replace(memory, pinned=True))
    await memories.store.touch({known.id: 2}, NOON)
    embedder.answering.set()
    corrected = await correcting
    assert (corrected.text, corrected.pinned, corrected.uses) == ("Ann likes coffee.", True, 2)
    assert await memories.get("p", known.id) == corrected


async def test_a_correction_without_a_new_text_keeps_the_vector_and_the_uses_that_others_write(
    memories: Memories, known: Memory
) -> None:
    await memories.keep([known])
    write = memories.store.amend

    async def late(*changes: Any) -> None:
        await memories.store.touch({known.id: 3}, NOON)
        await write(*changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memories.store, "amend", late)
        await memories.correct("p", known.id, lambda memory: replace(memory, pinned=True))
    kept = await memories.get("p", known.id)
    assert (kept.pinned, kept.uses, kept.last_used) == (True, 3, NOON)


@pytest_asyncio.fixture(loop_scope="module")
async def elsewhere(engine: Engine) -> AsyncIterator[Memories]:
    """The same memories, as another process has them in RAM."""
    ledger = Ledger(engine.settings.ledger_url)
    ledger.connect()
    memories = Memories(ledger, count=len)
    await memories.use(engine.memories.store, None)
    yield memories
    await ledger.aclose()


async def known_of(memories: Memories, memory: Memory) -> list[Memory]:
    """What a search in its user's memories may find now."""
    return (await memories.index_for_query(memory.partition, memory.user, "tea")).all()


async def test_who_reads_changes_while_another_reads_them_has_them_too(
    memories: Memories, elsewhere: Memories, known: Memory
) -> None:
    await elsewhere.index("p", known.user)
    [kept] = await memories.keep([known])
    housekeeping = asyncio.create_task(elsewhere.follow())
    await asyncio.sleep(0)
    await elsewhere.follow()
    assert await known_of(elsewhere, known) == [kept]
    await housekeeping


async def test_changes_that_could_not_be_read_are_read_the_next_time(
    memories: Memories, elsewhere: Memories, known: Memory
) -> None:
    await elsewhere.index("p", known.user)
    [kept] = await memories.keep([known])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memories.store, "get", AsyncMock(side_effect=StoreError("It is away.")))
        with pytest.raises(StoreError):
            await elsewhere.follow()
    await elsewhere.follow()
    assert await known_of(elsewhere, known) == [kept]


async def test_a_search_finds_what_it_was_told_of_before(
    memories: Memories, elsewhere: Memories, known: Memory
) -> None:
    elsewhere.scope_load_timeout_s = 10
    await elsewhere.index("p", known.user)
    [kept] = await memories.keep([known])
    elsewhere.following.told()
    assert await known_of(elsewhere, known) == [kept]


async def test_a_search_does_without_changes_that_cannot_be_read(
    memories: Memories, elsewhere: Memories, known: Memory
) -> None:
    await elsewhere.index("p", known.user)
    await memories.keep([known])
    elsewhere.following.told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memories.store, "get", AsyncMock(side_effect=StoreError("It is away.")))
        assert await known_of(elsewhere, known) == []


async def test_what_a_list_shows_is_found_by_whoever_looks_next(
    memories: Memories, known: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list waits until other processes are told of what the store holds already."""
    ledger: Ledger = memories._ledger
    publish, written, goes_on = ledger.listing.changed, asyncio.Event(), asyncio.Event()

    async def late(changed: Sequence[Memory]) -> list[int]:
        written.set()
        await goes_on.wait()
        return await publish(changed)

    monkeypatch.setattr(ledger.listing, "changed", late)
    keeping = asyncio.create_task(memories.keep([known]))
    await asyncio.wait_for(written.wait(), 5)
    assert await texts(memories, known) == [known.text]
    listing = asyncio.create_task(memories.lists.all("p", ListFilter(known.namespace)))
    settled = asyncio.create_task(memories.under_way.settled())
    assert await asyncio.wait([listing, settled], timeout=0.2) == (set(), {listing, settled})
    goes_on.set()
    assert [memory.text for memory in await listing] == [known.text]
    await asyncio.gather(keeping, settled)
