"""One exchange that cannot be learned: the others are learned, and it is kept, named, tried again and erasable."""

from __future__ import annotations

import asyncio
import logging
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bed.engines import opened_engine

from litellm_memory.engine import Engine
from litellm_memory.errors import StoreError
from litellm_memory.learn import attempts, learner
from litellm_memory.models import Exchange, Reply, Scope
from litellm_memory.settings import LearnRule
from litellm_memory.store import Entry

BEGUN = datetime.now(UTC)
ADA = Scope("p", "ada", session="s1")
POISON = "My lucky number is POISON."
FACTS = ("My name is Ada.", "I live in Leeds.")


def call_of(text: str) -> str:
    return f"call-{zlib.crc32(text.encode())}"


class Brittle:
    """A pattern that raises at one text, as a defect would."""

    def match(self, text: str) -> re.Match[str] | None:
        if "POISON" in text:
            raise TypeError("asked to fail")
        return None


def break_extraction(engine: Engine) -> None:
    rule = LearnRule.model_construct(kind="fact", pattern=Brittle(), about_person=False)
    engine.learner.settings = engine.learner.settings.model_copy(update={"rules": (rule,)})


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path) as engine:
        break_extraction(engine)
        yield engine


async def say(engine: Engine, *said: str, scope: Scope = ADA) -> None:
    for number, text in enumerate(said):
        mark = f"{scope.user}: {text}"
        exchange = Exchange(call_of(text), scope, mark, text, BEGUN + timedelta(seconds=number))
        await asyncio.wrap_future(engine.ledger.journal.accept(exchange))
        await asyncio.wrap_future(engine.ledger.journal.answered(mark, Reply("Noted.", complete=True)))
    engine.learner.wake()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.02)


async def named(engine: Engine) -> bool:
    return "learning" in engine.health.problems()


async def well(engine: Engine) -> bool:
    return not await named(engine)


async def nothing_waits(engine: Engine) -> bool:
    return await engine.ledger.journal.unlearned() == 0


async def learned(engine: Engine, facts: Sequence[str]) -> bool:
    return {memory.text for memory in await engine.memories.all("p", None)} >= set(facts)


async def test_one_exchange_that_always_raises_keeps_no_other_from_being_learned(engine: Engine) -> None:
    await say(engine, POISON, *FACTS)
    await until(lambda: learned(engine, FACTS))


async def test_it_is_tried_again_and_learned_once_that_works(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF_SECONDS", (0.0,) * 1000)
    usual = engine.learner.settings.model_copy(update={"rules": ()})
    await say(engine, POISON, *FACTS)
    await until(lambda: learned(engine, FACTS))
    engine.learner.settings = usual
    await until(lambda: learned(engine, [POISON, *FACTS]))
    await until(lambda: nothing_waits(engine))
    assert await engine.ledger.dead_letters.all() == []


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF_SECONDS", (0.0,) * 4)
    monkeypatch.setattr(learner, "ADOPT_SECONDS", 0.05)


@pytest.mark.usefixtures("_no_pauses")
async def test_what_failed_too_often_is_a_dead_letter_that_ready_and_one_line_of_the_log_name(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    await say(engine, POISON, *FACTS)
    await until(lambda: named(engine))
    assert [(letter.call, letter.error) for letter in await engine.ledger.dead_letters.all()] == [
        (call_of(POISON), "TypeError")
    ]
    assert await engine.ledger.journal.unlearned() == 1
    assert engine.health.ready
    assert f"{call_of(POISON)} (TypeError)" in engine.health.problems()["learning"]
    [logged] = [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING]
    assert logged == f"What was said in call {call_of(POISON)} cannot be learned (TypeError); it is a dead letter now."
    assert "POISON" not in "".join([logged, *engine.health.problems().values()])


@pytest.mark.usefixtures("_no_pauses")
async def test_a_restart_tries_a_dead_letter_again(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        break_extraction(engine)
        await say(engine, POISON)
        await until(lambda: named(engine))
    async with opened_engine(tmp_path) as engine:
        await until(lambda: learned(engine, [POISON]))
        await until(lambda: well(engine))
        assert await engine.ledger.dead_letters.all() == []


@pytest.mark.usefixtures("_no_pauses")
async def test_a_worker_that_runs_takes_no_dead_letter_of_another_but_names_it(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine, opened_engine(tmp_path) as other:
        break_extraction(engine)
        await say(engine, POISON)
        await until(lambda: named(other))
        assert await other.ledger.journal.adopt() == 0
        assert not await learned(other, [POISON])


@pytest.mark.usefixtures("_no_pauses")
async def test_a_dead_letter_is_erased_with_its_user_and_then_named_no_more(engine: Engine) -> None:
    await say(engine, POISON)
    await until(lambda: named(engine))
    assert ADA.user in await engine.ledger.erasures.users("p")
    await engine.ledger.erasures.erase_user("p", ADA.user, until=None)
    assert (await engine.ledger.dead_letters.all(), await engine.ledger.journal.unlearned()) == ([], 0)
    await until(lambda: well(engine))


@pytest.mark.usefixtures("_no_pauses")
async def test_a_dead_letter_that_was_said_long_ago_is_dropped_with_a_line_in_the_log(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await say(engine, POISON)
    await until(lambda: named(engine))
    monkeypatch.setattr(learner, "DEAD_LETTERS_KEPT", timedelta(0))
    await until(lambda: well(engine))
    assert await engine.ledger.journal.unlearned() == 0
    assert "1 dead letters are dropped unlearned." in caplog.messages


@pytest.mark.usefixtures("_no_pauses")
async def test_said_again_a_dead_letter_is_tried_again(engine: Engine) -> None:
    await say(engine, POISON)
    await until(lambda: named(engine))
    engine.learner.settings = engine.learner.settings.model_copy(update={"rules": ()})
    await say(engine, POISON)
    await until(lambda: learned(engine, [POISON]))


def refuse(engine: Engine, monkeypatch: pytest.MonkeyPatch, word: str) -> list[int]:
    """From now on the store keeps nothing that holds ``word``; how many memories it was given each time it refused."""
    put, refused = engine.memories.store.put, list[int]()

    async def put_or_refuse(entries: Sequence[Entry]) -> None:
        if any(word in entry.memory.text for entry in entries):
            refused.append(len(entries))
            raise StoreError("asked to refuse.")
        await put(entries)

    monkeypatch.setattr(engine.memories.store, "put", put_or_refuse)
    return refused


@pytest.mark.usefixtures("_no_pauses")
async def test_a_memory_that_the_store_refuses_alone_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened_engine(tmp_path) as engine:
        refuse(engine, monkeypatch, "POISON")
        await say(engine, POISON, *FACTS)
        await until(lambda: learned(engine, FACTS))
        # Alone it may be the store that fails: only what is learned beside it tells.
        for number in range(4):
            await say(engine, fact := f"My friend is called Bo{number}.")
            await until(lambda fact=fact: learned(engine, [fact]))
        await until(lambda: named(engine))
        assert [letter.error for letter in await engine.ledger.dead_letters.all()] == ["StoreError"]


@pytest.mark.usefixtures("_no_pauses")
async def test_a_store_that_refuses_everything_makes_no_dead_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(learner, "ROUNDS_UNREPORTED", 3)
    async with opened_engine(tmp_path) as engine:
        with monkeypatch.context() as patch:
            refused = refuse(engine, patch, "")
            await say(engine, *FACTS, "My dog is called Rex.", "I keep bees.")
            await until(lambda: named(engine))
            assert len(refused) > learner.SUSPECTS
            assert engine.health.problems()["learning"] == "Learning waits: asked to refuse."
            assert await engine.ledger.dead_letters.all() == []
        await until(lambda: learned(engine, FACTS))
        await until(lambda: well(engine))
