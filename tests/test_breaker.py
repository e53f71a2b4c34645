"""What is away is not waited for: after three failures requests go on at once, until a look finds that it is back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from bed.chroma import start_chroma, wait_for_chroma
from bed.postgres import INSTALLED, postgres_server
from bed.proxy import free_port
from bed.silence import before

from litellm_memory.engine import Engine, Outcome, Request
from litellm_memory.errors import AwayError, StoreError
from litellm_memory.files.address import read_record
from litellm_memory.memories.breaker import FAILURES, Breaker
from litellm_memory.models import Caller, Memory, memory_id, namespace
from litellm_memory.settings import Settings
from litellm_memory.sidecar import create_app

FACT = "Anna keeps bees behind the mill."
QUESTION = "Where does Anna keep her bees?"
DEADLINE_MS = 300


# --- the breaker alone, with a clock in the test's hand ---


class Part:
    """Something that may be away. A pause between two looks ends when ``turn`` is called."""

    def __init__(self) -> None:
        self.is_away = False
        self.told: dict[str, str] = {}
        self.pauses: list[float] = []
        self._over = asyncio.Event()
        self.breaker = Breaker("store", self.look, away=self.told, pause=self.pause)

    async def look(self) -> None:
        if self.is_away:
            raise StoreError("It is away.")

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._over.clear()
        await self._over.wait()

    async def turn(self) -> None:
        """A pause is over, and what follows from that has happened."""
        self._over.set()
        await settled()

    async def ask(self, work: Callable[[], Awaitable[None]] | None = None) -> None:
        with self.breaker.watch():
            await (work or self.look)()

    async def fail(self, times: int) -> None:
        self.is_away = True
        for _ in range(times):
            with pytest.raises(StoreError):
                await self.ask()
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def part() -> AsyncIterator[Part]:
    part = Part()
    yield part
    await part.breaker.aclose()


async def test_after_three_failures_in_a_row_nobody_waits_until_a_look_finds_it(part: Part) -> None:
    await part.fail(FAILURES)
    with pytest.raises(AwayError, match="The store is away"):
        await part.ask()
    assert (part.told, part.pauses) == ({"store": "It is away."}, [1.0])
    await part.turn()
    assert (part.told, part.pauses) == ({"store": "It is away."}, [1.0, 1.0])
    part.is_away = False
    with pytest.raises(AwayError):
        await part.ask()
    await part.turn()
    await part.ask()
    assert (part.told, part.breaker.is_open) == ({}, False)


async def test_failures_with_an_answer_between_them_are_borne(part: Part) -> None:
    for _ in range(3):
        await part.fail(FAILURES - 1)
        part.is_away = False
        await part.ask()
    assert (part.breaker.is_open, part.told) == (False, {})


async def test_missed_deadlines_count_and_what_is_only_slow_is_asked_again_at_once(part: Part) -> None:
    for _ in range(FAILURES):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await part.ask(asyncio.Event().wait)  # type: ignore[arg-type]  # it never ends
    assert part.breaker.is_open
    await settled()
    assert (part.breaker.is_open, part.told, part.pauses) == (False, {}, [])
    await part.ask()


async def test_what_closes_meanwhile_looks_no_more(part: Part) -> None:
    await part.fail(FAILURES)
    await part.breaker.aclose()
    assert (part.breaker.is_open, part.told) == (False, {})


# --- with what is truly away ---


@asynccontextmanager
async def running(data_dir: Path, *, alone: bool = True, **settings: Any) -> AsyncIterator[Engine]:
    told = Settings(data_dir=data_dir, recall={"deadline_ms": DEADLINE_MS}, **settings)
    engine = Engine(told, count=lambda text: len(text.split()), alone=alone)
    engine.open()
    try:
        await until(lambda: engine.health.opened)
        yield engine
    finally:
        await engine.aclose()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def remember(engine: Engine, user: str) -> None:
    name = memory_id(namespace("default", user), FACT, key=engine.ledger.key)
    kept = Memory(name, "default", user, FACT, "fact", created=datetime.now(UTC))
    assert await engine.memories.restore([kept]) == 1


async def ask(engine: Engine, user: str, *earlier: str) -> Outcome:
    said = [text for turn in earlier for text in (turn, "Noted.")] + [QUESTION]
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return await engine.before(
        Request(
            id=os.urandom(8).hex(),
            call_type="acompletion",
            route="/v1/chat/completions",
            headers={"x-memory-user-id": user},
            body={"model": "gpt", "messages": messages},
            caller=Caller(master=True),
            models=("gpt",),
        )
    )


async def until_it_recalls(engine: Engine, user: str) -> Outcome:
    """The first outcome with a memory: a process that has just begun, or was stopped, may be late."""
    async with asyncio.timeout(30):
        while (outcome := await ask(engine, user, f"Good morning {os.urandom(4).hex()}.")).status != "injected":
            await asyncio.sleep(0.01)
    return outcome


async def reasons(engine: Engine, user: str, count: int) -> list[str]:
    """The reasons that so many requests are given, one after the other, each with a question of its own."""
    return [(await ask(engine, user, f"Question {os.urandom(4).hex()}.")).reason for _ in range(count)]


def first_message(outcome: Outcome) -> str:
    assert outcome.body is not None
    return str(outcome.body["messages"][0]["content"])


async def readiness(engine: Engine) -> tuple[int, list[str]]:
    async def nobody(_: object) -> Caller:
        raise AssertionError("no key is needed")

    transport = httpx.ASGITransport(create_app(engine, authenticate=nobody))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/ready")
    return answer.status_code, sorted(answer.json()["problems"])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process takes connections and answers nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_silent_store_is_not_waited_for_and_who_is_in_ram_does_not_notice(tmp_path: Path) -> None:
    port = free_port()
    chroma = start_chroma(tmp_path, port)
    try:
        await asyncio.to_thread(wait_for_chroma, port)
        async with running(tmp_path, store={"mode": "server", "port": port}) as engine:
            for user in ("ada", "ben"):
                await remember(engine, user)
            assert (await ask(engine, "ada")).status == "injected"
            with stopped(chroma.pid):
                assert await reasons(engine, "ben", 5) == ["deadline"] * FAILURES + ["store_away"] * 2
                assert (await ask(engine, "ada", "Good morning to you.")).status == "injected"
                await until(lambda: bool(engine.health.away))
                assert await readiness(engine) == (503, ["store"])
            await until(lambda: not engine.health.away)
            await until_it_recalls(engine, "ben")
    finally:
        chroma.kill()
        chroma.wait()


@pytest.mark.skipif(not INSTALLED, reason="no PostgreSQL is at hand")
async def test_a_silent_ledger_is_not_waited_for_and_blocks_in_ram_are_replayed(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as port, before(port) as line:
        url = f"postgresql+psycopg://memory@127.0.0.1:{line.listens}/postgres"
        async with running(tmp_path / "data", ledger={"url": url}) as engine:
            await remember(engine, "ada")
            frozen = await ask(engine, "ada")
            assert frozen.status == "injected"
            line.fall_silent()
            seen = await reasons(engine, "ada", 5)
            assert [reason == "ledger_away" for reason in seen] == [False] * FAILURES + [True] * 2
            again = await ask(engine, "ada", QUESTION)
            assert again.reason == "ledger_away"
            assert first_message(again) == first_message(frozen) != QUESTION
            await until(lambda: bool(engine.health.away))
            assert await readiness(engine) == (503, ["ledger"])
            line.speak()
            await until(lambda: not engine.health.away)
            await until_it_recalls(engine, "ada")


async def test_a_search_process_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, alone=False) as engine:
        await remember(engine, "ada")
        await until_it_recalls(engine, "ada")
        search = read_record(tmp_path / "search")
        assert search is not None
        with stopped(search.pid):
            outcomes = [await ask(engine, "ada", f"Number {n} of these.") for n in range(5)]
            assert [outcome.reason == "search_away" for outcome in outcomes] == [False] * FAILURES + [True] * 2
            await until(lambda: bool(engine.health.away))
            assert await readiness(engine) == (503, ["search"])
        await until(lambda: not engine.health.away)
        await until_it_recalls(engine, "ada")
