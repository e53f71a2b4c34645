"""The ledger: what is accepted is durable, what is frozen stays, and one message is learned once."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bed.learning import taken_over
from bed.ledgers import empty_database
from sqlalchemy import Connection

from litellm_memory.database.database import Database
from litellm_memory.database.tables import facts
from litellm_memory.ledger import Ledger, LedgerError
from litellm_memory.ledger import blocks as ledger_blocks
from litellm_memory.ledger.blocks import BLOCKS_KEPT
from litellm_memory.models import Block, Earlier, Exchange, Given, Reply, Scope

SCOPE = Scope("p", "ada", project="apollo", session="s-1", client="Codex")
SAID = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXCHANGE = Exchange("call-1", SCOPE, "mark-1", "My cat is called Ada.", SAID, "gpt")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return empty_database("sqlite", tmp_path)


@pytest.fixture
async def other(url: str) -> AsyncIterator[Ledger]:
    """The ledger of another worker on the same database."""
    opened = Ledger.open(url)
    yield opened
    await opened.aclose()


async def test_a_frozen_block_is_the_same_for_every_worker(ledger: Ledger, other: Ledger) -> None:
    block = Block("m", "<memory/>", (Given("id-1", "one", 5), Given("id-2", "two", 7)))
    assert await ledger.blocks.freeze(block, namespace="n", call="c") == block
    assert await other.blocks.frozen(["m", "unknown"]) == {"m": block}


async def test_the_first_block_of_a_message_stands(ledger: Ledger, other: Ledger) -> None:
    first = await ledger.blocks.freeze(Block("m", "first"), namespace="n", call="c1")
    assert await other.blocks.freeze(Block("m", "second"), namespace="n", call="c2") == first


async def test_a_block_that_was_answered_makes_way_for_a_new_one_in_every_worker(ledger: Ledger, other: Ledger) -> None:
    since = await ledger.changes.newest()
    old, new = Block("m", "old"), Block("m", "new")
    await ledger.blocks.freeze(old, namespace="n", call="c1")
    await asyncio.wrap_future(ledger.blocks.settle("m"))
    assert await ledger.blocks.frozen(["m"]) == {"m": replace(old, answered=True)}
    assert await other.blocks.freeze(new, namespace="n", call="c2") == new
    await ledger.changes.since(since)
    assert await ledger.blocks.frozen(["m"]) == {"m": new}


async def test_forgetting_reads_only_the_blocks_that_have_the_memory(ledger: Ledger) -> None:
    for number in range(30):
        block = Block(f"mark{number}", "text", (Given(f"memory {number // 2} ö", "text", 1),))
        await ledger.blocks.freeze(block, namespace="n", call="c")
    await ledger.blocks.freeze(Block("other", "text", (Given("memory 3 ö", "text", 1),)), namespace="m", call="c")

    async def marks(*memories: str) -> set[str]:
        return set(await ledger.database.read(lambda c: list(c.scalars(ledger_blocks.marks_with(memories, ["n"])))))

    assert await marks("memory 3 ö") == {"mark6", "mark7"}
    assert await marks("memory 3 ö", "memory 14 ö", "memory") >= {"mark6", "mark7", "mark28", "mark29"}
    assert await marks() == set()
    assert len(await marks(*(f"memory {number} ö" for number in range(60)))) == 30
    await ledger.forget([("n", "memory 3 ö")])
    found = await ledger.blocks.frozen(["mark6", "mark7", "mark8", "other"])
    assert {mark for mark, block in found.items() if block.text} == {"mark8", "other"}


async def test_forgetting_cuts_a_memory_out_of_every_block_and_leaves_the_other_bytes(
    ledger: Ledger, other: Ledger
) -> None:
    one, two = Given("id-1", "- one", 5), Given("id-2", "- two", 7)
    both, alone = Block("m1", "<o>\n- one\n- two\n</o>", (one, two)), Block("m2", "<o>\n- one\n</o>", (one,))
    since = await other.changes.newest()
    for block in (both, alone):
        await other.blocks.freeze(block, namespace="n", call="c")
    await ledger.forget([("n", "id-1")])
    left = {"m1": Block("m1", "<o>\n- two\n</o>", (two,)), "m2": Block("m2")}
    assert await ledger.blocks.frozen(["m1", "m2"]) == left
    await other.changes.since(since)
    assert await other.blocks.frozen(["m1", "m2"]) == left


async def test_blocks_that_are_used_stay_in_ram_and_the_others_leave(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_blocks, "BLOCKS_IN_RAM", 2)
    ledger = Ledger.open(sqlite_url)
    for mark in ("used", "unused"):
        await ledger.blocks.freeze(Block(mark, "b"), namespace="n", call="c")
    assert await ledger.blocks.frozen(["used"]) == {"used": Block("used", "b")}
    await ledger.blocks.freeze(Block("new", "b"), namespace="n", call="c")
    assert set(ledger.blocks.cached(["used", "unused", "new"])) == {"used", "new"}
    await ledger.aclose()


async def test_old_blocks_and_answers_leave_and_young_ones_stay(ledger: Ledger, other: Ledger) -> None:
    await ledger.blocks.freeze(Block("m", "b"), namespace="n", call="c")
    await asyncio.wrap_future(ledger.answers.keep("resp", Earlier("m"), namespace="n"))
    assert await ledger.prune(datetime.now(UTC) + BLOCKS_KEPT - timedelta(minutes=1), calls_days=400) == 0
    assert await other.blocks.frozen(["m"]) == {"m": Block("m", "b")}
    assert await ledger.prune(datetime.now(UTC) + BLOCKS_KEPT + timedelta(minutes=1), calls_days=400) == 2
    assert await other.answers.earlier("resp", namespace="n") is None


async def test_it_is_known_what_was_forgotten_for_as_long_as_its_conversation_may_go_on(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    earlier = Exchange("c", Scope("p", "u", session="s"), "mark-1", "My cat is called Fermat.", now, place=1)
    await ledger.sayings.said([earlier], paused=[False])
    await ledger.sayings.forgot(["mark-1"])
    again = replace(earlier, said=now + timedelta(hours=1))
    await ledger.prune(now + BLOCKS_KEPT - timedelta(minutes=1), calls_days=400)
    assert await ledger.sayings.judged([again]) == ["repeated"]
    await ledger.prune(now + BLOCKS_KEPT + timedelta(minutes=1), calls_days=400)
    assert await ledger.sayings.judged([again]) == ["new"]


async def test_marks_of_what_was_learned_leave_when_no_conversation_has_its_blocks_any_more(ledger: Ledger) -> None:
    await ledger.journal.done("mark-1")
    assert await ledger.prune(datetime.now(UTC) + BLOCKS_KEPT - timedelta(minutes=1), calls_days=400) == 0
    assert await ledger.prune(datetime.now(UTC) + BLOCKS_KEPT + timedelta(minutes=1), calls_days=400) == 1


async def test_giving_up_leaves_an_empty_block_in_place_of_ones_own(ledger: Ledger, other: Ledger) -> None:
    await ledger.blocks.freeze(Block("m", "late"), namespace="n", call="c1")
    ledger.blocks.give_up(Block("m", ""), namespace="n", call="c1")
    await ledger.changes.publish([("n", "x")])
    assert await other.blocks.frozen(["m"]) == {"m": Block("m", "")}


async def test_giving_up_leaves_another_calls_block_alone(ledger: Ledger, other: Ledger) -> None:
    await other.blocks.freeze(Block("m", "theirs"), namespace="n", call="c2")
    ledger.blocks.give_up(Block("m", ""), namespace="n", call="c1")
    await ledger.changes.publish([("n", "x")])
    assert await other.blocks.frozen(["m"]) == {"m": Block("m", "theirs")}


async def test_an_exchange_comes_back_whole_once_it_is_answered(ledger: Ledger, tmp_path: Path) -> None:
    async with taken_over(tmp_path, ledger) as journal:
        journal.accept(EXCHANGE)
    assert await ledger.journal.ready(10) == []
    async with taken_over(tmp_path, ledger) as journal:
        journal.answered("mark-1", Reply("Noted.", complete=True))
    assert await ledger.journal.ready(10) == [replace(EXCHANGE, reply=Reply("Noted.", complete=True))]


@pytest.mark.parametrize(
    "reply", [None, Reply("half an ans"), Reply("", complete=True)], ids=["failed", "cut", "empty"]
)
async def test_words_whose_answer_failed_are_learned_without_it(
    ledger: Ledger, tmp_path: Path, reply: Reply | None
) -> None:
    async with taken_over(tmp_path, ledger) as journal:
        journal.accept(EXCHANGE)
        journal.answered("mark-1", reply)
    assert await ledger.journal.ready(10) == [EXCHANGE]


async def test_of_many_that_wait_those_of_all_partitions_are_learned_in_turn(ledger: Ledger, tmp_path: Path) -> None:
    async with taken_over(tmp_path, ledger) as journal:
        for number in range(20):
            partition = "ben" if number == 19 else "ada"
            scope = replace(EXCHANGE.scope, partition=partition)
            said = EXCHANGE.said + timedelta(minutes=number)
            journal.accept(replace(EXCHANGE, mark=f"mark-{number}", scope=scope, said=said))
            journal.answered(f"mark-{number}", None)
    assert [exchange.mark for exchange in await ledger.journal.ready(4)] == ["mark-0", "mark-19", "mark-1", "mark-2"]


async def test_a_message_that_was_learned_is_known_when_it_comes_again(
    ledger: Ledger, other: Ledger, tmp_path: Path
) -> None:
    async with taken_over(tmp_path, ledger) as journal:
        journal.accept(EXCHANGE)
    await ledger.journal.done("mark-1")
    assert await ledger.journal.unlearned() == 0
    again = replace(EXCHANGE, id="call-2")
    async with taken_over(tmp_path / "another host", other) as journal:
        journal.accept(again)
        journal.answered("mark-1", None)
    assert await other.journal.ready(10) == [replace(again, again=True)]


async def test_a_repeat_before_learning_stays_one_exchange(ledger: Ledger, other: Ledger, tmp_path: Path) -> None:
    for each in (ledger, other, ledger):
        async with taken_over(tmp_path, each) as journal:
            journal.accept(EXCHANGE)
    assert await ledger.journal.unlearned() == 1


async def test_exchanges_of_a_worker_that_is_gone_are_taken_over(ledger: Ledger, tmp_path: Path) -> None:
    async with taken_over(tmp_path, ledger) as journal:
        journal.worker = f"{socket.gethostname()}:{_ended_process()}:0"
        journal.accept(EXCHANGE)
    assert await ledger.journal.adopt() == 1
    assert await ledger.journal.ready(10) == [EXCHANGE]


async def test_exchanges_of_a_living_worker_are_left_to_it(ledger: Ledger, tmp_path: Path) -> None:
    async with taken_over(tmp_path, ledger) as journal:
        journal.accept(EXCHANGE)
    assert await ledger.journal.adopt() == 0


async def test_what_an_earlier_keeper_was_to_learn_is_taken_over_even_if_its_process_id_is_in_use_again(
    sqlite_url: str, tmp_path: Path
) -> None:
    earlier, later = Ledger.open(sqlite_url), Ledger.open(sqlite_url)
    async with taken_over(tmp_path, earlier) as journal:
        journal.accept(EXCHANGE)
        journal.answered("mark-1", None)
    assert await earlier.journal.ready(10) == [EXCHANGE]
    assert await later.journal.adopt() == 1
    assert await later.journal.ready(10) == [EXCHANGE]
    for closed in (earlier, later):
        await closed.aclose()


async def test_a_text_is_claimed_once(ledger: Ledger, other: Ledger) -> None:
    assert await ledger.texts.claim("t", "id-1", namespace="n") == "id-1"
    assert await other.texts.claim("t", "id-2", namespace="n") == "id-1"
    await ledger.forget([("n", "id-1")])
    assert await other.texts.claim("t", "id-2", namespace="n") == "id-2"


async def test_changes_are_told_in_order(ledger: Ledger, other: Ledger) -> None:
    before = await other.changes.newest()
    await ledger.changes.publish([("n", "a"), ("m", "b")])
    await ledger.changes.publish([("n", "c")])
    assert [change[1:] for change in await other.changes.since(before)] == [("n", "a"), ("m", "b"), ("n", "c")]


async def test_each_turn_is_taken_by_one_worker(ledger: Ledger, other: Ledger) -> None:
    async def takers(minutes: int) -> int:
        now, workers = SAID + timedelta(minutes=minutes), (ledger, other)
        took = [worker.facts.take_turn("sweep", every=timedelta(hours=1), now=now) for worker in workers]
        return sum(await asyncio.gather(*took))

    assert [await takers(minutes) for minutes in (0, 59, 60, 61, 119, 120)] == [1, 0, 1, 0, 0, 1]
    assert await other.facts.take_turn("another work", every=timedelta(hours=1), now=SAID)


async def wait_for_submitted(database: Database, refused: Callable[[Connection], Any]) -> Any:
    return await asyncio.wrap_future(database.submit(refused))


@pytest.mark.parametrize("run", [Database.read, Database.write, wait_for_submitted])
async def test_what_the_database_refuses_is_a_ledger_error_for_whoever_waits(
    run: Callable[[Database, Callable[[Connection], Any]], Awaitable[Any]], ledger: Ledger
) -> None:
    """And it names neither the statement nor its values."""
    with pytest.raises(LedgerError, match=r"^The ledger cannot be (read|written) \([\w]+\)\.$"):
        await run(ledger.database, lambda connection: connection.execute(facts.insert(), {"name": "key", "value": "x"}))
    assert ledger.trouble is None


async def test_a_locked_ledger_keeps_what_it_is_given_until_it_is_free(sqlite_url: str, tmp_path: Path) -> None:
    ledger = Ledger.open(sqlite_url)
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    accepted = ledger.answers.keep("resp", Earlier("m"), namespace="n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asyncio.shield(asyncio.wrap_future(accepted))
    holder.execute("COMMIT")
    holder.close()
    async with asyncio.timeout(10):
        await asyncio.wrap_future(accepted)
    assert await ledger.answers.earlier("resp", namespace="n") == Earlier("m")
    await ledger.aclose()


async def test_the_key_of_keyed_hashes_survives_a_restart(url: str, ledger: Ledger, other: Ledger) -> None:
    assert ledger.key == other.key
    assert len(ledger.key) == 32


def test_a_newer_ledger_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    Ledger.open(sqlite_url).close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE facts SET value = '999' WHERE name = 'schema'")
    connection.close()
    with pytest.raises(LedgerError, match="schema version 999"):
        Ledger.open(sqlite_url)


def test_a_damaged_ledger_is_an_error_without_a_path(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(LedgerError, match=r"cannot be opened \(SQLITE_NOTADB\)"):
        Ledger.open(sqlite_url)


def test_the_ledger_is_for_its_owner_only(sqlite_url: str, tmp_path: Path) -> None:
    Ledger.open(sqlite_url).close()
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600


def _ended_process() -> int:
    """The number of a process that has ended and was waited for."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    return child
