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
from bed.learning import Learning, running_learning, taken_over

from litellm_memory.errors import StoreError
from litellm_memory.learn import attempts, learner
from litellm_memory.ledger import Ledger
from litellm_memory.models import Exchange, Reply, Scope
from litellm_memory.settings import LearnRule, Settings
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


def break_extraction(learning: Learning) -> None:
    rule = LearnRule.model_construct(kind="fact", pattern=Brittle(), about_person=False)
    learning.learner.settings = learning.learner.settings.model_copy(update={"rules": (rule,)})


@pytest.fixture
async def learning(tmp_path: Path) -> AsyncIterator[Learning]:
    async with running_learning(tmp_path) as learning:
        break_extraction(learning)
        yield learning


async def say(learning: Learning, *said: str, scope: Scope = ADA) -> None:
    for number, text in enumerate(said):
        mark = f"{scope.user}: {text}"
        exchange = Exchange(call_of(text), scope, mark, text, BEGUN + timedelta(seconds=number))
        async with taken_over(learning.directory, learning.ledger) as journal:
            journal.accept(exchange)
            journal.answered(mark, Reply("Noted.", complete=True))
    learning.learner.wake()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.02)


async def named(learning: Learning) -> bool:
    return "learning" in learning.health.problems()


async def well(learning: Learning) -> bool:
    return not await named(learning)


async def nothing_waits(learning: Learning) -> bool:
    return await learning.ledger.journal.unlearned() == 0


async def learned(learning: Learning, facts: Sequence[str]) -> bool:
    return {memory.text for memory in await learning.memories.all("p", None)} >= set(facts)


async def test_one_exchange_that_always_raises_keeps_no_other_from_being_learned(learning: Learning) -> None:
    await say(learning, POISON, *FACTS)
    await until(lambda: learned(learning, FACTS))


async def test_it_is_tried_again_and_learned_once_that_works(
    learning: Learning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BACKOFF_SECONDS", (0.0,) * 1000)
    usual = learning.learner.settings.model_copy(update={"rules": ()})
    await say(learning, POISON, *FACTS)
    await until(lambda: learned(learning, FACTS))
    learning.learner.settings = usual
    await until(lambda: learned(learning, [POISON, *FACTS]))
    await until(lambda: nothing_waits(learning))
    assert await learning.ledger.dead_letters.all() == []


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "BACKOFF_SECONDS", (0.0,) * 4)
    monkeypatch.setattr(learner, "ADOPT_SECONDS", 0.05)


@pytest.mark.usefixtures("_no_pauses")
async def test_what_failed_too_often_is_a_dead_letter_that_ready_and_one_line_of_the_log_name(
    learning: Learning, caplog: pytest.LogCaptureFixture
) -> None:
    await say(learning, POISON, *FACTS)
    await until(lambda: named(learning))
    assert [(letter.call, letter.error) for letter in await learning.ledger.dead_letters.all()] == [
        (call_of(POISON), "TypeError")
    ]
    assert await learning.ledger.journal.unlearned() == 1
    assert learning.health.ready
    assert f"{call_of(POISON)} (TypeError)" in learning.health.problems()["learning"]
    [logged] = [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING]
    assert logged == f"What was said in call {call_of(POISON)} cannot be learned (TypeError); it is a dead letter now."
    assert "POISON" not in "".join([logged, *learning.health.problems().values()])


@pytest.mark.usefixtures("_no_pauses")
async def test_a_restart_tries_a_dead_letter_again(tmp_path: Path) -> None:
    async with running_learning(tmp_path) as learning:
        break_extraction(learning)
        await say(learning, POISON)
        await until(lambda: named(learning))
    async with running_learning(tmp_path) as learning:
        await until(lambda: learned(learning, [POISON]))
        await until(lambda: well(learning))
        assert await learning.ledger.dead_letters.all() == []


@pytest.mark.usefixtures("_no_pauses")
async def test_a_dead_letter_is_taken_over_by_no_keeper_that_runs_but_all_can_name_it(learning: Learning) -> None:
    await say(learning, POISON)
    await until(lambda: named(learning))
    other = Ledger.open(Settings(data_dir=learning.directory).ledger_url)
    assert await other.journal.adopt() == 0
    assert [letter.call for letter in await other.dead_letters.all()] == [call_of(POISON)]
    await other.aclose()


@pytest.mark.usefixtures("_no_pauses")
async def test_a_dead_letter_is_erased_with_its_user_and_then_named_no_more(learning: Learning) -> None:
    await say(learning, POISON)
    await until(lambda: named(learning))
    assert ADA.user in await learning.ledger.erasures.users("p")
    await learning.ledger.erasures.erase_user("p", ADA.user, until=None)
    assert (await learning.ledger.dead_letters.all(), await learning.ledger.journal.unlearned()) == ([], 0)
    await until(lambda: well(learning))


@pytest.mark.usefixtures("_no_pauses")
async def test_a_dead_letter_that_was_said_long_ago_is_dropped_with_a_line_in_the_log(
    learning: Learning, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await say(learning, POISON)
    await until(lambda: named(learning))
    monkeypatch.setattr(learner, "DEAD_LETTERS_KEPT", timedelta(0))
    await until(lambda: well(learning))
    assert await learning.ledger.journal.unlearned() == 0
    assert "1 dead letters are dropped unlearned." in caplog.messages


@pytest.mark.usefixtures("_no_pauses")
async def test_said_again_a_dead_letter_is_tried_again(learning: Learning) -> None:
    await say(learning, POISON)
    await until(lambda: named(learning))
    learning.learner.settings = learning.learner.settings.model_copy(update={"rules": ()})
    await say(learning, POISON)
    await until(lambda: learned(learning, [POISON]))


def refuse(learning: Learning, monkeypatch: pytest.MonkeyPatch, word: str) -> list[int]:
    """From now on the store keeps nothing that holds ``word``; how many memories it was given each time it refused."""
    put, refused = learning.memories.store.put, list[int]()

    async def put_or_refuse(entries: Sequence[Entry]) -> None:
        if any(word in entry.memory.text for entry in entries):
            refused.append(len(entries))
            raise StoreError("asked to refuse.")
        await put(entries)

    monkeypatch.setattr(learning.memories.store, "put", put_or_refuse)
    return refused


@pytest.mark.usefixtures("_no_pauses")
async def test_a_memory_that_the_store_refuses_alone_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_learning(tmp_path) as learning:
        refuse(learning, monkeypatch, "POISON")
        await say(learning, POISON, *FACTS)
        await until(lambda: learned(learning, FACTS))
        # Alone it may be the store that fails: only what is learned beside it tells.
        for number in range(4):
            await say(learning, fact := f"My friend is called Bo{number}.")
            await until(lambda fact=fact: learned(learning, [fact]))
        await until(lambda: named(learning))
        assert [letter.error for letter in await learning.ledger.dead_letters.all()] == ["StoreError"]


@pytest.mark.usefixtures("_no_pauses")
async def test_a_store_that_refuses_everything_makes_no_dead_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(learner, "ROUNDS_UNREPORTED", 3)
    async with running_learning(tmp_path) as learning:
        with monkeypatch.context() as patch:
            refused = refuse(learning, patch, "")
            await say(learning, *FACTS, "My dog is called Rex.", "I keep bees.")
            await until(lambda: named(learning))
            assert len(refused) > learner.SUSPECTS
            assert learning.health.problems()["learning"] == "Learning waits: asked to refuse."
            assert await learning.ledger.dead_letters.all() == []
        await until(lambda: learned(learning, FACTS))
        await until(lambda: well(learning))
