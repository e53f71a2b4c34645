"""The journal: what any process appended all see, in one order; and the keeper takes it over once, whatever ends."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bed.engines import opened_engine
from bed.ledgers import DATABASES, empty_database
from bed.leftovers import leftovers
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import select

from litellm_memory.database.beats import STILL_LOOKS
from litellm_memory.database.tables import answers, blocks, calls, facts, journal, traces
from litellm_memory.engine import Engine, Outcome, Request
from litellm_memory.engine.beginning import holds_records
from litellm_memory.errors import LedgerError, StoreError
from litellm_memory.files.address import read_record
from litellm_memory.journal import log as log_module
from litellm_memory.journal import taking
from litellm_memory.journal.journal import WORDS, Journal
from litellm_memory.journal.log import Log, Position, Record, line_of
from litellm_memory.journal.marks import Marks
from litellm_memory.journal.pen import Pen
from litellm_memory.journal.taking import Taker
from litellm_memory.ledger import CallRecord, Ledger, Trace
from litellm_memory.models import Block, Caller, Earlier, Exchange, Given, Reply, Scope
from litellm_memory.settings import Settings

KINDS = b"XY"
SCOPE = Scope("p", "ada", session="s")
SAID = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXCHANGE = Exchange("call", SCOPE, "mark", "My cat is called Fermat.", SAID)

APPEND = """
import sys
from pathlib import Path
from litellm_memory.journal.log import Log

log = Log(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    log.append(("X", {"by": sys.argv[2], "number": number}))
"""


def all_of(log: Log, position: Position | None = None) -> tuple[list[Record], Position]:
    """All records behind a position, and the position behind them."""
    records: list[Record] = []
    before, position = None, position or Position()
    while before != position:
        before = position
        more, position = log.read(position, KINDS)
        records += more
    return records, position


def numbered(number: int) -> Record:
    return "X", {"number": number}


async def until(true: Callable[[], Awaitable[bool]], *, within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not await true():
            await asyncio.sleep(0.01)


# --- the log ---


def test_all_see_what_many_processes_append_in_one_order_while_segments_come_and_go(tmp_path: Path) -> None:
    processes, each = 4, 300
    appending = [
        subprocess.Popen([sys.executable, "-c", APPEND, tmp_path, str(number), str(each)])
        for number in range(processes)
    ]
    watching, seen, position = Log(tmp_path), list[Record](), Position()
    while any(process.poll() is None for process in appending):
        more, position = all_of(watching, position)
        seen += more
        if len(more) > 20:
            watching.rotate()
    seen += all_of(watching, position)[0]
    assert [process.returncode for process in appending] == [0] * processes
    afterwards = all_of(Log(tmp_path))[0]
    assert seen == afterwards
    numbers = {str(by): [row["number"] for _, row in seen if row["by"] == str(by)] for by in range(processes)}
    assert numbers == {str(by): [*range(each)] for by in range(processes)}
    assert len(watching.segments()) > 1


@pytest.mark.parametrize("left", [1, 2, 9, -6, -2])
def test_what_was_written_in_part_is_passed_over_and_hides_nothing(tmp_path: Path, left: int) -> None:
    """As a full disk or a power cut leaves it: some bytes of a record, without the rest."""
    log = Log(tmp_path)
    log.append(numbered(1))
    torn = '\nX{"text":"ein Wörtchen ü"}\n'.encode()
    with (tmp_path / "0000000001.log").open("ab") as file:
        file.write(torn[:left])
    log.append(numbered(2))
    assert all_of(log)[0] == [numbered(1), numbered(2)]
    with (tmp_path / "0000000001.log").open("ab") as file:
        file.write(torn[:left])
    log.rotate()
    Log(tmp_path).append(numbered(3))
    assert all_of(log)[0] == [numbered(1), numbered(2), numbered(3)]


def test_a_record_is_read_once_it_is_whole(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(numbered(1))
    read, position = all_of(log)
    with (tmp_path / "0000000001.log").open("ab") as file:
        file.write(b'\nX{"number":')
        file.flush()
        assert (read, all_of(log, position)[0]) == ([numbered(1)], [])
        file.write(b"2}\n")
    assert all_of(log, position)[0] == [numbered(2)]


def test_a_record_longer_than_what_is_read_at_a_time_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "READ_BYTES", 16)
    log, long = Log(tmp_path), ("X", {"text": "x" * 5000})
    for record in (numbered(1), long, numbered(2)):
        log.append(record)
    assert all_of(log)[0] == [numbered(1), long, numbered(2)]


@pytest.mark.parametrize("dropped", [False, True])
def test_a_closed_segment_takes_no_more_even_from_who_has_it_open(tmp_path: Path, dropped: bool) -> None:
    late, closing = Log(tmp_path), Log(tmp_path)
    late.append(numbered(1))
    with (tmp_path / "0000000001.log").open("rb") as segment:
        held = segment.read()
        closing.rotate()
        if dropped:
            closing.drop_before(2)
        late.append(numbered(2))
        segment.seek(0)
        assert segment.read() == held
    assert all_of(closing, Position(2))[0] == [numbered(2)]


def test_who_appends_again_after_a_segment_went_still_reads_what_was_in_it(tmp_path: Path) -> None:
    slow, quick = Log(tmp_path), Log(tmp_path)
    slow.append(numbered(1))
    _, position = all_of(slow)
    quick.append(numbered(2))
    quick.rotate()
    quick.drop_before(2)
    slow.append(numbered(3))
    assert all_of(slow, position)[0] == [numbered(2), numbered(3)]


def test_an_empty_segment_is_not_closed_and_the_newest_is_not_dropped(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for _ in range(2):
        log.append(numbered(1))
        log.rotate()
        log.rotate()
    log.drop_before(99)
    assert (log.segments(), log.end()) == ([3], Position(3, 0))


def test_each_log_has_a_name_of_its_own_that_stays(tmp_path: Path) -> None:
    names = [Log(tmp_path / place).id for place in ("a", "b", "a")]
    assert (names[0] == names[2], names[0] == names[1]) == (True, False)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["id"]


def test_the_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    log = Log(tmp_path / "journal")
    log.append(numbered(1))
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "journal", *(tmp_path / "journal").iterdir())] == [0, 0]


@given(some.lists(some.text(), max_size=50), some.text())
def test_a_mark_that_was_added_is_never_forgotten(added: list[str], other: str) -> None:
    marks = Marks()
    marks.update(added)
    assert all(mark in marks for mark in added)
    assert other in added or other not in marks


# --- a disk without room ---

FULL = """
import asyncio, json, resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from litellm_memory.errors import LedgerError, StoreError
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger import Ledger
from litellm_memory.models import Block, Exchange, Scope

async def seen(directory):
    # As at a full disk: a write is cut short at this size, and refused from then on.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = Journal(directory, Ledger.open(f"sqlite:///{directory / 'ledger.db'}"))
    await journal.tend()
    first = await journal.blocks.freeze(Block("first", "kept"), namespace="n", call="c")
    [segment] = (directory / "journal").glob("*.log")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (segment.stat().st_size + int(sys.argv[2]), most))
    try:
        await journal.blocks.freeze(Block("second", "lost"), namespace="n", call="c")
        refused = False
    except LedgerError:
        refused = True
    for number in range(5):
        said = Exchange(f"call-{number}", Scope("p", "ada"), f"mark-{number}", "words", datetime.now(UTC))
        journal.accept(said)
    trouble = journal.trouble
    found = await journal.blocks.frozen(["first", "second"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await journal.tend()
    after = await journal.blocks.freeze(Block("third", "kept"), namespace="n", call="c")
    return [refused, bool(trouble), sorted(found), journal.trouble, after.text]

print(json.dumps(asyncio.run(seen(Path(sys.argv[1])))))
"""


def test_wherever_a_disk_cuts_a_record_off_it_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[Record] = [(WORDS, {"mark": "mark-0"}), (WORDS, {"mark": "mark-1"})]
    whole = len(b"".join(map(line_of, records)))
    write = os.write
    for room in range(whole + 1):
        log = Log(tmp_path / str(room))
        pen, left = Pen(log), [room]

        def cut_off(descriptor: int, content: bytes, left: list[int] = left) -> int:
            return write(descriptor, content[: left.pop()] if left else content)

        monkeypatch.setattr(os, "write", cut_off)
        pen.append(*records)
        monkeypatch.undo()
        assert (pen.trouble is None) == (room == whole)
        pen.write_waiting()
        assert (pen.trouble, log.read(Position(), WORDS.encode())[0]) == (None, records)
        log.close()


@pytest.mark.parametrize("room", [0, 1, 40, 900])
def test_on_a_full_disk_a_block_is_refused_and_words_wait_for_room(tmp_path: Path, room: int) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path, str(room)], capture_output=True, text=True, check=True)
    refused, trouble, found, trouble_after, after = json.loads(done.stdout)
    fits = room > 500
    assert (refused, trouble, found) == (not fits, True, ["first", "second"] if fits else ["first"])
    assert (trouble_after, after) == (None, "kept")
    records = Log(tmp_path / "journal").read(Position(), WORDS.encode())[0]
    assert [row["mark"] for _, row in records] == [f"mark-{number}" for number in range(5)]


async def test_ready_tells_that_the_journal_cannot_be_written_and_what_was_said_is_learned_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, lines: bytes) -> int:
        raise OSError(28, "No space left on device")

    async def told() -> bool:
        return "free some space" in engine.health.problems().get("ledger", "")

    async def learned() -> bool:
        return engine.health.ready and await texts(engine) == [EXCHANGE.text]

    async with opened_engine(tmp_path) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(log_module.os, "write", full)
            engine.journal.accept(EXCHANGE)
            engine.journal.answered(EXCHANGE.mark, None)
            await until(told)
            assert not engine.health.ready
        await until(learned, within=60)


async def texts(engine: Engine) -> list[str]:
    return sorted(memory.text for memory in await engine.memories.all("p", None))


# --- frozen blocks of many workers ---


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def url_in(directory: Path) -> str:
    directory.mkdir(exist_ok=True)
    return f"sqlite:///{directory / 'ledger.db'}"


@dataclass
class House:
    """Workers and a keeper on one data directory, and what must hold for each message."""

    directory: Path
    chance: random.Random
    workers: list[Journal] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)
    holds: dict[str, Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledgers.append(Ledger.open(url_in(self.directory)))
        self.keeper = Taker(self.directory, self.ledgers[0])
        for _ in range(3):
            self.workers.append(self.worker())

    def worker(self) -> Journal:
        self.ledgers.append(Ledger.open(url_in(self.directory)))
        return Journal(self.directory, self.ledgers[-1])

    async def freeze(self, number: int) -> None:
        block = Block(self.mark(), f"block {number}", (Given(f"id-{number}", f"block {number}", 2),))
        held = self.holds.get(block.mark)
        expected = block if held is None or held.answered else held
        assert await self.some_worker().blocks.freeze(block, namespace="n", call=f"call-{number}") == expected
        self.holds[block.mark] = expected

    async def settle(self, number: int) -> None:
        mark = self.mark()
        if mark in self.holds:
            self.some_worker().blocks.settle(mark)
            self.holds[mark] = replace(self.holds[mark], answered=True)

    async def give_up(self, number: int) -> None:
        """Of a call that did not freeze the block, which therefore stays."""
        mark = self.mark()
        if mark in self.holds and not self.holds[mark].answered:
            self.some_worker().blocks.give_up(Block(mark), namespace="n", call=f"late-{number}")

    async def replay(self, number: int) -> None:
        assert await self.some_worker().blocks.frozen([*self.holds]) == self.holds

    async def take(self, number: int) -> None:
        await self.keeper.take_all(rotate=self.chance.random() < 0.3)

    async def restart(self, number: int) -> None:
        place = self.chance.randrange(3)
        self.workers[place].close()
        self.workers[place] = self.worker()

    async def restart_keeper(self, number: int) -> None:
        self.keeper.close()
        self.keeper = Taker(self.directory, self.ledgers[0])

    async def tend(self, number: int) -> None:
        await self.some_worker().tend()

    async def close(self) -> None:
        self.keeper.close()
        for worker in self.workers:
            worker.close()
        for ledger in self.ledgers:
            await ledger.aclose()

    def mark(self) -> str:
        return f"mark-{self.chance.randrange(12)}"

    def some_worker(self) -> Journal:
        return self.chance.choice(self.workers)


@pytest.mark.parametrize("seed", range(8))
async def test_every_worker_has_the_same_block_for_a_message_whatever_happens_in_between(
    directory: Path, seed: int
) -> None:
    """The first block stands until the message is answered: across segments, restarts, and what was taken over."""
    chance = random.Random(seed)
    house = House(directory, chance)
    often = [house.freeze] * 6 + [house.settle] * 4 + [house.replay] * 4 + [house.take] * 2 + [house.tend] * 2
    steps = [*often, house.give_up, house.restart, house.restart_keeper]
    for number in range(250):
        await chance.choice(steps)(number)
    await house.take(0)
    for worker in house.workers:
        assert await worker.blocks.frozen([*house.holds]) == house.holds
    assert await house.ledgers[0].blocks.frozen([*house.holds]) == house.holds
    await house.close()


@pytest.mark.parametrize("state", ["in the journal", "taken over", "in the ledger alone"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_conversation_is_replayed_wherever_its_blocks_are(directory: Path, state: str, restarted: bool) -> None:
    ledger = Ledger.open(url_in(directory))
    worker, keeper = Journal(directory, ledger), Taker(directory, ledger)
    await worker.tend()
    block = Block("mark", "- one", (Given("id", "- one", 2),))
    await worker.blocks.freeze(block, namespace="n", call="c")
    worker.answers.keep("answer", Earlier("mark", ("id",)), namespace="n")
    if state != "in the journal":
        await keeper.take_all(rotate=state == "in the ledger alone")
    reader = Journal(directory, ledger) if restarted else worker
    assert await reader.blocks.frozen(["mark", "new"]) == {"mark": block}
    assert await reader.answers.earlier("answer", namespace="n") == Earlier("mark", ("id",))
    assert await reader.answers.earlier("answer", namespace="another") is None
    for closed in (worker, reader, keeper):
        closed.close()
    await ledger.aclose()


async def test_whatever_else_the_keeper_writes_comes_between_the_pieces_of_a_long_journal(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(url_in(directory))
    worker, keeper = Journal(directory, ledger), Taker(directory, ledger)
    marks = [f"mark-{number}" for number in range(200)]
    for mark in marks:
        await worker.blocks.freeze(Block(mark), namespace="n", call="c")
    monkeypatch.setattr(taking, "TAKEN_BYTES", 1000)
    taking_over = asyncio.create_task(keeper.take_all(rotate=False))
    while not await ledger.blocks.frozen(marks[:1]):
        await asyncio.sleep(0)
    await ledger.database.write(lambda connection: None)
    assert not taking_over.done()
    await taking_over
    assert {*(await ledger.blocks.frozen(marks))} == {*marks}
    for closed in (worker, keeper):
        closed.close()
    await ledger.aclose()


async def test_a_worker_that_slept_through_whole_segments_misses_no_block(directory: Path) -> None:
    house = House(directory, random.Random(0))
    busy, idle = house.workers[:2]
    for worker in (busy, idle):
        await worker.tend()
    for number in range(6):
        block = Block(f"mark-{number}", f"block {number}")
        house.holds[block.mark] = await busy.blocks.freeze(block, namespace="n", call="c")
        await house.keeper.take_all(rotate=True)
    busy.blocks.settle("mark-0")
    house.holds["mark-0"] = replace(house.holds["mark-0"], answered=True)
    await house.keeper.take_all(rotate=True)
    assert idle.blocks.missing(idle.blocks.cached(["mark-4"]), ["mark-4"]) == ["mark-4"]
    assert await idle.blocks.frozen([*house.holds]) == house.holds
    await house.close()


async def test_giving_up_without_having_looked_leaves_an_older_block_alone(directory: Path) -> None:
    """A request whose look into the ledger took too long goes on without the block, and the next one has it."""
    house = House(directory, random.Random(0))
    block = await house.workers[0].blocks.freeze(Block("mark", "older"), namespace="n", call="c1")
    await house.keeper.take_all(rotate=True)
    late = house.worker()
    late.blocks.give_up(Block("mark"), namespace="n", call="c2")
    late.blocks.give_up(Block("unknown"), namespace="n", call="c2")
    expected = {"mark": block, "unknown": Block("unknown")}
    for worker in (late, house.worker()):
        assert await worker.blocks.frozen(["mark", "unknown"]) == expected
    await house.keeper.take_all(rotate=False)
    assert await house.ledgers[0].blocks.frozen(["mark", "unknown"]) == expected
    await house.close()


# --- what the keeper takes over ---


def trace(number: int) -> Trace:
    return Trace(f"call-{number}", SAID, "p", "ada", SCOPE.namespace, "injected", "recalled")


def call(number: int) -> CallRecord:
    nothing: dict[str, Any] = dict.fromkeys(("client", "project", "model_asked", "model", "provider", "first_token"))
    counts: dict[str, Any] = dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens", "memory_tokens"), 1)
    return CallRecord(
        f"call-{number}", SAID, "p", "ada", kind="person", stream=False, cost=1.0, latency=1.0, status="success",
        error=None, retries=0, finish_reason="stop", recalled=1, **nothing, **counts,
    )  # fmt: skip


async def leave(worker: Journal, number: int) -> None:
    """All that a request leaves."""
    mark = f"mark-{number}"
    worker.accept(replace(EXCHANGE, id=f"call-{number}", mark=mark))
    await worker.blocks.freeze(Block(mark, f"block {number}"), namespace=SCOPE.namespace, call=f"call-{number}")
    worker.trace(trace(number), used=[f"memory-{number}"])
    worker.blocks.settle(mark)
    worker.answers.keep(f"answer-{number}", Earlier(mark), namespace=SCOPE.namespace)
    worker.answered(mark, Reply("Noted.", complete=True))
    worker.call(call(number))


async def rows(ledger: Ledger) -> dict[str, list[Any]]:
    """All that lies in the tables that the keeper fills."""
    tables = (blocks, journal, answers, traces, calls)
    unlike = {"worker", "written"}

    def read(connection: Any) -> dict[str, list[Any]]:
        return {
            table.name: sorted(
                str({key: value for key, value in row._mapping.items() if key not in unlike})
                for row in connection.execute(select(table))
            )
            for table in tables
        }

    return await ledger.database.read(read)


async def test_what_was_taken_over_is_not_taken_over_again(ledger: Ledger, directory: Path) -> None:
    worker = Journal(directory, ledger)
    for number in range(3):
        await leave(worker, number)
    before, after = Taker(directory, ledger), Taker(directory, ledger)
    assert await before.take_all(rotate=False)
    assert before.uses == Counter({f"memory-{number}": 1 for number in range(3)})
    taken = await rows(ledger)
    assert {name: len(of) for name, of in taken.items()} == dict.fromkeys(taken, 3)
    assert not await before.take_all(rotate=False)
    await after.take_all(rotate=False)
    assert (await rows(ledger), after.uses) == (taken, Counter())
    await leave(worker, 3)
    await after.take_all(rotate=False)
    assert {name: len(of) for name, of in (await rows(ledger)).items()} == dict.fromkeys(taken, 4)
    for closed in (worker, before, after):
        closed.close()


async def test_what_was_taken_over_without_the_position_being_kept_is_there_once(
    ledger: Ledger, directory: Path
) -> None:
    worker = Journal(directory, ledger)
    for number in range(3):
        await leave(worker, number)
    taker = Taker(directory, ledger)
    await taker.take_all(rotate=False)
    taken = await rows(ledger)
    await ledger.database.write(lambda c: c.execute(facts.delete().where(facts.c.name.startswith("journal:"))).rowcount)
    again = Taker(directory, ledger)
    assert await again.take_all(rotate=False)
    assert await rows(ledger) == taken
    for closed in (worker, taker, again):
        closed.close()


async def test_a_segment_is_closed_when_it_is_large_and_deleted_once_it_was_taken_over(
    ledger: Ledger, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "SEGMENT_BYTES", 1000)
    worker, taker, log = Journal(directory, ledger), Taker(directory, ledger), Log(directory / "journal")
    for number in range(4):
        await leave(worker, number)
        await taker.take_all(rotate=False)
        assert len(log.segments()) <= 2
    assert log.segments()[0] > 1
    assert {name: len(of) for name, of in (await rows(ledger)).items()} == dict.fromkeys(await rows(ledger), 4)
    await leave(worker, 4)
    await taker.take_all(rotate=True)
    assert log.end() == Position(log.segments()[-1], 0)
    assert len(log.segments()) == 1
    for closed in (worker, taker, log):
        closed.close()


async def test_a_record_that_the_ledger_refuses_holds_up_no_other(
    ledger: Ledger, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker, taker = Journal(directory, ledger), Taker(directory, ledger)
    await leave(worker, 0)
    Log(directory / "journal").append((WORDS, {"mark": "of a later version"}))
    await leave(worker, 1)
    await taker.take_all(rotate=False)
    taken = await rows(ledger)
    assert {name: len(of) for name, of in taken.items()} == dict.fromkeys(taken, 2)
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == [
        "A record (W) of the journal is left out: KeyError"
    ]
    for closed in (worker, taker):
        closed.close()


@pytest.mark.parametrize("text", ["half a pair \ud83d", "nothing \x00 at all", "\u2028\n\r\nlines", "🐈"])
async def test_whatever_a_person_types_or_a_model_answers_is_learned_and_holds_up_nobody(
    ledger: Ledger, directory: Path, text: str
) -> None:
    worker, taker = Journal(directory, ledger), Taker(directory, ledger)
    worker.accept(replace(EXCHANGE, mark="odd", text=text, model=text))
    worker.answered("odd", Reply(text, complete=True))
    worker.accept(EXCHANGE)
    worker.answered(EXCHANGE.mark, None)
    await taker.take_all(rotate=False)
    ready = {exchange.mark: exchange for exchange in await ledger.journal.ready(10)}
    assert (ready.keys(), ready[EXCHANGE.mark]) == ({"odd", EXCHANGE.mark}, EXCHANGE)
    assert ready["odd"].reply is not None
    assert worker.trouble is None
    for closed in (worker, taker):
        closed.close()


async def test_words_are_learned_without_an_answer_once_their_conversation_goes_on(
    ledger: Ledger, directory: Path
) -> None:
    worker, taker = Journal(directory, ledger), Taker(directory, ledger)
    worker.accept(EXCHANGE)
    await taker.take_all(rotate=False)
    assert await ledger.journal.ready(10) == []
    worker.accept(replace(EXCHANGE, mark="next", before=EXCHANGE.mark))
    await taker.take_all(rotate=False)
    assert await ledger.journal.ready(10) == [EXCHANGE]
    for closed in (worker, taker):
        closed.close()


# --- two hosts on one ledger ---


@pytest.mark.skipif("postgresql" not in DATABASES, reason="no PostgreSQL is at hand")
async def test_hosts_that_share_a_ledger_share_blocks_and_answers_at_once_and_words_soon(tmp_path: Path) -> None:
    url = empty_database("postgresql", tmp_path)
    ledgers = [Ledger.open(url) for _ in range(2)]
    places = [tmp_path / name for name in ("here", "there")]
    hosts = [Journal(place, ledger) for place, ledger in zip(places, ledgers, strict=True)]
    keepers = [Taker(place, ledger) for place, ledger in zip(places, ledgers, strict=True)]
    for number in range(6):
        first, second = hosts[number % 2], hosts[1 - number % 2]
        mark = f"mark-{number}"
        block = await first.blocks.freeze(Block(mark, "first"), namespace="n", call="c1")
        assert await second.blocks.freeze(Block(mark, "second"), namespace="n", call="c2") == block
        first.answers.keep(f"answer-{number}", Earlier(mark), namespace="n")
        await first.answers.earlier(f"answer-{number}", namespace="n")
        assert await second.answers.earlier(f"answer-{number}", namespace="n") == Earlier(mark)
        first.accept(replace(EXCHANGE, id=f"call-{number}", mark=mark))
        first.answered(mark, None)
    for keeper in keepers:
        await keeper.take_all(rotate=True)
    ready = [sorted(exchange.mark for exchange in await ledger.journal.ready(10)) for ledger in ledgers]
    assert ready == [[f"mark-{number}" for number in numbers] for numbers in ((0, 2, 4), (1, 3, 5))]
    for closed in (*hosts, *keepers):
        closed.close()
    for ledger in ledgers:
        await ledger.aclose()


@pytest.mark.skipif("postgresql" not in DATABASES, reason="no PostgreSQL is at hand")
async def test_what_a_host_that_died_had_answered_is_learned_by_another_and_the_rest_left_to_it(
    tmp_path: Path,
) -> None:
    url = empty_database("postgresql", tmp_path)
    alive, died = Ledger.open(url), Ledger.open(url)
    host, keeper = Journal(tmp_path, died), Taker(tmp_path, died)
    for number in range(3):
        host.accept(replace(EXCHANGE, id=f"call-{number}", mark=f"mark-{number}"))
    for number in range(2):
        host.answered(f"mark-{number}", None)
    await keeper.take_all(rotate=True)
    for _ in range(2 * STILL_LOOKS):
        assert await alive.journal.beat() == 0
        assert await died.journal.beat() == 0
    adopted = [await alive.journal.beat() for _ in range(STILL_LOOKS + 1)]
    assert adopted == [*[0] * STILL_LOOKS, 2]
    assert [exchange.mark for exchange in await alive.journal.ready(10)] == ["mark-0", "mark-1"]
    assert await died.journal.ready(10) == []
    assert await died.journal.unlearned() == 3
    # One that was only slow is seen again, and looks for itself.
    assert await died.journal.beat() == 0
    assert [await alive.journal.beat() for _ in range(STILL_LOOKS + 1)] == [0] * (STILL_LOOKS + 1)
    for closed in (host, keeper):
        closed.close()
    for ledger in (alive, died):
        await ledger.aclose()


@pytest.mark.skipif("postgresql" not in DATABASES, reason="no PostgreSQL is at hand")
async def test_the_keeper_of_each_host_brings_its_words_into_the_shared_ledger(tmp_path: Path) -> None:
    """Also while the server with the memories is away."""
    shared = {"ledger": {"url": empty_database("postgresql", tmp_path)}, "store": {"mode": "server", "port": 1}}
    hosts = [Engine(Settings(data_dir=tmp_path / name, **shared), count=len) for name in ("here", "there")]

    async def both() -> bool:
        return [await host.ledger.journal.unlearned() for host in hosts] == [2, 2]

    for number, host in enumerate(hosts):
        host.open()
        host.journal.accept(replace(EXCHANGE, id=f"call-{number}", mark=f"mark-{number}"))
    await until(both)
    for host in hosts:
        await host.aclose()


# --- with the keeper itself ---


def request(number: int, *said: str, user: str = "ada") -> Request:
    """What a client sends: a conversation in which person and assistant take turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[turn % 2], "content": text} for turn, text in enumerate(said)]
    return Request(
        id=f"call-{number}",
        call_type="acompletion",
        route="/v1/chat/completions",
        headers={"x-memory-user-id": user, "x-session-id": "one"},
        body={"model": "gpt", "messages": messages},
        caller=Caller(master=True),
        models=("gpt",),
    )


async def said(engine: Engine, number: int, *conversation: str, user: str = "ada") -> Outcome:
    """Sends a conversation and answers it."""
    outcome = await engine.before(request(number, *conversation, user=user))
    engine.after(outcome, lambda: Reply("Noted.", complete=True), size=6)
    return outcome


async def stored(engine: Engine, user: str) -> list[str]:
    """The texts of a person's memories in the store; none while its owner is starting."""
    try:
        return sorted(memory.text for memory in await engine.memories.all("default", user))
    except StoreError:
        return []


async def has(engine: Engine, user: str, text: str) -> bool:
    """True once this worker recalls a memory with this text."""
    await engine.memories.follow()
    index = await engine.memories.index("default", user)
    return text in [memory.text for memory in index.all()]


FACT = "My staging database is called heron-42."
QUESTION = "What is my staging database called?"


async def test_what_was_forgotten_is_not_replayed_after_a_restart_either(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        await said(engine, 1, FACT)
        await until(lambda: has(engine, "ada", FACT))
        outcome = await said(engine, 2, QUESTION)
        assert FACT in str(outcome.body)
        [memory] = await engine.memories.all("default", "ada")
        await engine.memories.forget("default", memory.id)
        assert FACT not in str((await said(engine, 3, QUESTION, "Noted.", "And now?")).body)
    async with opened_engine(tmp_path) as engine:
        assert FACT not in str((await said(engine, 4, QUESTION, "Noted.", "And now?")).body)


async def test_erasing_a_person_leaves_their_words_in_no_segment(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        await said(engine, 1, FACT)
        await until(lambda: has(engine, "ada", FACT))
        await said(engine, 2, QUESTION)
        await said(engine, 3, "My dog is called Rex.", user="bob")
        job = await engine.erasure.ask("default", "ada")
        async with asyncio.timeout(60):
            while (now := await engine.ledger.erasures.get("default", job.id)) and now.progress != "done":
                await asyncio.sleep(0.02)
        assert leftovers(tmp_path / "journal", texts=["heron-42", "staging database"]) == set()
        await until(lambda: has(engine, "bob", "My dog is called Rex."))


@pytest.mark.parametrize("rounds", [5, pytest.param(100, marks=pytest.mark.long)])
async def test_what_was_said_is_learned_once_however_often_the_keeper_is_killed(tmp_path: Path, rounds: int) -> None:
    """It dies at once, when the words are in the ledger, or when the first memory is there: in turn."""
    chance = random.Random(rounds)
    facts_ = [f"My locker number {number} is {chance.randrange(10**6)}." for number in range(rounds * 4)]

    async def in_ledger() -> bool:
        return await engine.ledger.journal.unlearned() > 0

    async def first_learned() -> bool:
        return facts_[start] in await stored(engine, "ada")

    async def at_once() -> bool:
        return True

    async with opened_engine(tmp_path) as engine:
        for round_ in range(rounds):
            start = round_ * 4
            for number in range(start, start + 4):
                await said(engine, number, facts_[number])
            with suppress(TimeoutError):
                # Learning may be quicker than this looks.
                await until((at_once, in_ledger, first_learned)[round_ % 3], within=5)
            owner = read_record(tmp_path)
            if owner is not None:
                with suppress(ProcessLookupError):
                    os.kill(owner.pid, signal.SIGKILL)
        await until(lambda: all_is_learned(engine), within=90)
        assert await stored(engine, "ada") == sorted(facts_)


async def all_is_learned(engine: Engine) -> bool:
    """True once neither the journal nor the ledger holds anything that is still to be learned."""
    log = Log(engine.settings.data_dir / "journal")
    taken = await engine.ledger.facts.taken_over(log.id)
    return taken >= log.end() and await engine.ledger.journal.unlearned() == 0


def test_a_block_that_cannot_be_read_back_is_a_ledger_error(directory: Path) -> None:
    """The journal's directory holds what is not ours: nothing is used that not all would see."""
    ledger = Ledger.open(url_in(directory))
    worker = Journal(directory, ledger)
    (directory / "journal").mkdir()
    (directory / "journal" / "notes.log").write_text("mine")
    with pytest.raises(LedgerError):
        asyncio.run(worker.blocks.freeze(Block("mark"), namespace="n", call="c"))
    ledger.close()


def test_a_keeper_begins_with_the_first_record_and_not_for_an_empty_journal(tmp_path: Path) -> None:
    log, began = Log(tmp_path / "journal"), [holds_records(tmp_path)]
    log.append((WORDS, {"mark": "m"}))
    began.append(holds_records(tmp_path))
    log.rotate()
    began.append(holds_records(tmp_path))
    log.drop_before(log.end().segment)
    began.append(holds_records(tmp_path))
    assert began == [False, True, True, False]
