"""Lists of memories: in their order, a page at a time, whoever wrote them and whatever happened in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bed.engines import opened_engine

from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError, StoreError
from litellm_memory.gate.access import Access
from litellm_memory.ledger import ListFilter, ListPosition
from litellm_memory.models import Caller, Memory, Origin, Superseded, namespace
from litellm_memory.store import Entry, memory_id
from litellm_memory.store.collections import Rows

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def made(days: int, *, name: str = "", user: str = "ann", **fields: object) -> Memory:
    """A memory that was made so many days ago."""
    text = f"Ann was in room {days}{name}."
    bare = Memory(memory_id(namespace("p", user), text, key=b"k"), "p", user, text, "fact", NOON - timedelta(days=days))
    return replace(bare, **fields)  # type: ignore[arg-type]  # a test's fields


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """Without vectors: lists need none."""
    async with opened_engine(tmp_path) as opened:
        await opened.memories.use(opened.memories.store, None)
        yield opened


async def pages(engine: Engine, asked: ListFilter, *, limit: int) -> list[list[str]]:
    """The ids of all pages."""
    page, after = await engine.memories.lists.page("p", asked, limit=limit)
    found = [[memory.id for memory in page]]
    while after is not None:
        page, after = await engine.memories.lists.page("p", asked, after=after, limit=limit)
        found.append([memory.id for memory in page])
    return found


def ids(memories: Sequence[Memory]) -> list[str]:
    return [memory.id for memory in memories]


async def test_lists_are_newest_first_then_by_id_however_late_an_old_memory_came(engine: Engine) -> None:
    kept = [made(days, name=name) for days in (3, 1, 2) for name in ("a", "b", "c")]
    await engine.memories.keep(kept)
    await engine.memories.restore([made(9000), replace(made(0), created=datetime(1969, 7, 20, tzinfo=UTC))])
    await engine.memories.keep([made(0, name="now")])
    expected = ids(await engine.memories.all("p", None))
    assert len(expected) == 12
    for limit in (1, 4, 5, 12, 100):
        assert await pages(engine, ListFilter(), limit=limit) == [
            expected[start : start + limit] for start in range(0, 12, limit)
        ]


async def test_a_page_reads_its_own_memories_alone_and_no_vector(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.memories.keep([made(days) for days in range(40)])
    collections = engine.memories.store.collections
    get, read = collections.get, []

    async def noted(name: str, asked: Sequence[str], *, vectors: bool = True) -> Rows:
        read.append((list(asked), vectors))
        return await get(name, asked, vectors=vectors)

    monkeypatch.setattr(collections, "get", noted)
    page, after = await engine.memories.lists.page("p", ListFilter(), limit=5)
    assert ids(page) == ids([made(days) for days in range(5)])
    assert after is not None
    [(asked, vectors)] = read
    assert (sorted(asked), vectors) == (sorted(ids([made(days) for days in range(6)])), False)


async def test_each_filter_finds_its_own_in_pages(engine: Engine) -> None:
    hers = made(1, project="shop", review="it may be an attack")
    said = made(2, project="shop", origin=Origin("person", None, "call-1"))
    theirs = made(3, user="bob", superseded_by=Superseded(hers.id, "newer statement"))
    for memory in (hers, said, theirs):
        await engine.memories.store.put([Entry(memory, None)])
        await engine.ledger.listing.changed([memory])
    cases = {
        ListFilter(): [hers, said, theirs],
        ListFilter(namespace=namespace("p", "ann")): [hers, said],
        ListFilter(namespace=namespace("p", "bob")): [theirs],
        ListFilter(namespace=namespace("p", "ann"), project="shop"): [hers, said],
        ListFilter(project="other"): [],
        ListFilter(waiting=True): [hers],
        ListFilter(namespace=namespace("p", "bob"), waiting=True): [],
        ListFilter(learned=True): [said],
        ListFilter(learned=True, call="call-1"): [said],
        ListFilter(learned=True, call="call-2"): [],
        ListFilter(learned=True, since=NOON - timedelta(days=1)): [],
    }
    for asked, expected in cases.items():
        assert await pages(engine, asked, limit=10) == [ids(expected)], asked
        assert ids(await engine.memories.lists.all("p", asked)) == ids(expected)
    assert await engine.memories.lists.superseded_by("p", [hers.id, said.id]) == [theirs]
    assert await engine.memories.lists.page("q", ListFilter(), limit=10) == ([], None)


async def test_a_list_goes_on_where_it_was_though_the_memory_there_is_gone_and_others_came(engine: Engine) -> None:
    await engine.memories.keep([made(days) for days in (1, 2, 3, 4)])
    page, after = await engine.memories.lists.page("p", ListFilter(), limit=2)
    await engine.memories.forget("p", page[-1].id)
    await engine.memories.keep([made(0)])
    rest, end = await engine.memories.lists.page("p", ListFilter(), after=after, limit=2)
    assert (ids(rest), end) == (ids([made(3), made(4)]), None)


async def test_what_is_corrected_keeps_its_place_and_what_is_accepted_leaves_the_queue(engine: Engine) -> None:
    await engine.memories.keep([made(days) for days in (1, 2, 3)])
    await engine.memories.correct("p", made(2).id, lambda memory: replace(memory, text="Other.", review="why"))
    assert await pages(engine, ListFilter(), limit=9) == [ids([made(days) for days in (1, 2, 3)])]
    assert await pages(engine, ListFilter(waiting=True), limit=9) == [[made(2).id]]
    await engine.memories.correct("p", made(2).id, lambda memory: replace(memory, review=None))
    assert await pages(engine, ListFilter(waiting=True), limit=9) == [[]]


async def test_a_memory_that_was_announced_and_never_written_is_passed_over(engine: Engine) -> None:
    """As a worker that is killed between the two leaves it."""
    await engine.memories.keep([made(days) for days in (1, 3, 5)])
    await engine.ledger.listing.announce([made(days) for days in (0, 2, 4, 6)])
    assert await pages(engine, ListFilter(), limit=2) == [ids([made(1), made(3)]), [made(5).id]]


async def test_what_one_worker_wrote_another_lists_at_once(engine: Engine, tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as other:
        await other.memories.use(other.memories.store, None)
        await engine.memories.keep([made(1), made(2)])
        assert await pages(other, ListFilter(), limit=9) == [ids([made(1), made(2)])]
        await other.memories.forget("p", made(1).id)
        assert await pages(engine, ListFilter(), limit=9) == [[made(2).id]]


def lose_ledger(data_dir: Path) -> None:
    lost = list(data_dir.glob("ledger.db*"))
    assert lost
    for file in lost:
        file.unlink()


async def test_a_new_ledger_lists_what_the_store_held_before(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as first:
        await first.memories.use(first.memories.store, None)
        await first.memories.keep([made(1), made(2), made(1, user="bob")])
        expected = ids(await first.memories.all("p", None))
    lose_ledger(tmp_path)
    async with opened_engine(tmp_path) as second:
        assert await pages(second, ListFilter(), limit=9) == [expected]
        assert ids(await second.memories.all("p", None)) == expected


def test_positions_are_ordered_as_lists_are_read_backwards() -> None:
    assert ListPosition(1, "b") < ListPosition(2, "a") < ListPosition(2, "b")


async def test_a_first_listing_that_failed_is_begun_again_and_a_name_waits_for_it(tmp_path: Path) -> None:
    partition, operator = "a" * 32, Caller(master=True)
    async with opened_engine(tmp_path) as engine:
        own = memory_id(namespace(partition, "ann"), "1", key=b"k")
        await engine.memories.keep([replace(made(1), partition=partition, id=own)])
    lose_ledger(tmp_path)
    async with opened_engine(tmp_path) as engine:
        store = engine.memories.store
        engine.memories._store = None  # as while the store does not answer
        await engine.memories.lists.aclose()
        with pytest.raises(StoreError):
            await Access(engine, operator, partition).partition(writes=False)
        engine.memories._store = store
        assert await Access(engine, operator, partition[:8]).partition(writes=False) == partition
        with pytest.raises(NotFoundError):
            await Access(engine, operator, "b" * 32).partition(writes=False)
