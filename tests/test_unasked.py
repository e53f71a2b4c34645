"""A person says that their memories are not to be used: for a day, or in the conversation in which they say so."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.remembered import memory

from litellm_memory.engine import Engine, Outcome, Request
from litellm_memory.memories.unasked import LONGEST, is_unasked, is_wish_alone, unasked_in
from litellm_memory.models import Caller, Scope, memory_id, namespace
from litellm_memory.settings import Settings

FOR_A_DAY = (
    "Don't use my memories today.",
    "Please don’t use my memories.",
    "Stop using your memory, please!",
    "Answer without using your memories today.",
    "Do not use what you know about me.",
    "Pause my memory.",
    "Turn off your memory for today.",
    "Stop bringing up my memories. What is two times four?",
    "Benutze heute meine Erinnerungen nicht.",
    "Nutze meine Erinnerungen bitte nicht mehr.",
    "Verwende bitte keine Erinnerungen mehr.",
    "Schalte dein Gedächtnis heute aus.",
    "N'utilise pas mes souvenirs aujourd'hui.",
    "Ne te sers plus de mes souvenirs.",
    "Réponds sans ta mémoire.",
    "No uses mis recuerdos hoy.",
    "Deja de usar tu memoria.",
    "Responde sin usar mi memoria, por favor.",
    "请不要使用我的记忆。",
    "今天别用你的记忆回答我",
    "请暂停我的记忆。",
)
HERE = (
    "Don't use my memories in this conversation.",
    "Please answer without my memories here.",
    "Benutze meine Erinnerungen in diesem Gespräch nicht.",
    "N'utilise pas mes souvenirs dans cette conversation.",
    "No uses mis recuerdos en esta conversación.",
    "在这次对话中不要使用我的记忆。",
)
NO_WISH = (
    "Don't use the memory cache.",
    "Stop using my memory cache for this loop.",
    "Turn off memory compression.",
    "Don't use any memory.",
    "Don't use memory-mapped files here.",
    "Why don't you use my memories?",
    "Use my memories.",
    "What is in my memory?",
    "I never use my memories well.",
    "Don't forget my birthday.",
    "He said: don't use my memories.",
    "Don't remember this conversation.",
    "Ich benutze meine Erinnerungen nicht gern.",
    "No uses más memoria de la necesaria.",
    f"Don't use my memories. {'And so on. ' * LONGEST}",
)
KNOWN = "My sister Anna plays the cello in Graz."
QUESTION = "Which instrument does my sister Anna play?"
CALLER = Caller(user="ada", key="1" * 64)
_users = (f"user-{number}" for number in itertools.count())
_calls = (f"call-{number}" for number in itertools.count())


@pytest.mark.parametrize("said", FOR_A_DAY)
def test_a_wish_without_memories_is_heard_in_five_languages(said: str) -> None:
    assert unasked_in(said) == "day"
    assert not is_unasked([said])


@pytest.mark.parametrize("said", HERE)
def test_a_wish_may_be_about_its_conversation_alone(said: str) -> None:
    assert unasked_in(said) == "conversation"
    assert is_unasked(["Hello.", said, "And then?"])


@pytest.mark.parametrize("said", NO_WISH)
def test_what_only_has_such_words_is_no_wish(said: str) -> None:
    assert unasked_in(said) is None


def test_a_wish_among_other_words_is_not_all_that_was_said() -> None:
    assert (is_wish_alone(FOR_A_DAY[0]), is_wish_alone(f"{FOR_A_DAY[0]} I moved to Oslo.")) == (True, False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("unasked"), recall={"deadline_ms": 5000}) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def user(engine: Engine) -> str:
    """Somebody with a memory."""
    name = next(_users)
    partition = (await asks(engine, name, "Hello.")).scope
    assert partition is not None
    id = memory_id(namespace(partition.partition, name), "known", key=b"bed")
    await engine.memories.keep([memory(KNOWN, id=id, partition=partition.partition, user=name)])
    return name


async def asks(engine: Engine, user: str, *said: str, dry: bool = False, tools: bool = False) -> Outcome:
    """What became of a request with these messages of a person, an answer between each two."""
    told = [{"role": "user", "content": text} for text in said]
    messages: list[Any] = [one for turn in told for one in (turn, {"role": "assistant", "content": "Noted."})][:-1]
    if tools:
        called = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "1", "content": "1"},
        ]
    body, headers = {"model": "gpt", "messages": messages}, {"x-memory-user-id": user}
    request = Request(next(_calls), "acompletion", "/v1/chat/completions", headers, body, CALLER, ("gpt",), dry=dry)
    return await engine.before(request)


def until(engine: Engine, scope: Scope | None, settings: Settings | None = None) -> datetime | None:
    """Until when this person has paused recall."""
    assert scope is not None
    switches = engine.ledger.people.switches
    return switches.standing(scope, CALLER, datetime.now(UTC), settings or engine.settings).recall.until


@pytest.mark.asyncio(loop_scope="module")
async def test_the_request_that_says_so_is_given_nothing_and_neither_is_any_other_for_a_day(
    engine: Engine, user: str
) -> None:
    before = await asks(engine, user, QUESTION)
    assert (before.status, KNOWN in before.block) == ("injected", True)
    said = await asks(engine, user, QUESTION, f"{FOR_A_DAY[0]} {QUESTION}")
    assert (said.status, said.reason, said.body) == ("off", "paused", None)
    elsewhere = await asks(engine, user, f"{QUESTION} It is a new conversation.")
    assert (elsewhere.status, elsewhere.reason) == ("off", "paused")
    ends = until(engine, said.scope)
    assert ends is not None
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(days=1)
    assert said.scope is not None
    await engine.ledger.people.switches.resume(said.scope.partition, user, "recall")
    assert (await asks(engine, user, f"{QUESTION} It is on again.")).status == "injected"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_wish_about_one_conversation_holds_in_it_alone(engine: Engine, user: str) -> None:
    said = [HERE[0], f"{QUESTION} Here."]
    assert [(await asks(engine, user, *said[:end])).reason for end in (1, 2)] == ["paused", "paused"]
    assert (await asks(engine, user, *said, tools=True)).reason == "paused"
    elsewhere = await asks(engine, user, f"{QUESTION} There.")
    assert (elsewhere.status, until(engine, elsewhere.scope)) == ("injected", None)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_dry_run_shows_it_and_pauses_nothing(engine: Engine, user: str) -> None:
    shown = await asks(engine, user, FOR_A_DAY[0], dry=True)
    assert (shown.reason, until(engine, shown.scope)) == ("paused", None)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_wish_itself_is_not_learned_and_what_is_said_beside_it_is(engine: Engine, user: str) -> None:
    alone = await asks(engine, user, FOR_A_DAY[0])
    assert alone.scope is not None
    await engine.ledger.people.switches.resume(alone.scope.partition, user, "recall")
    beside = await asks(engine, user, f"{FOR_A_DAY[0]} I moved to Oslo.")
    assert (alone.acceptance.learns, beside.acceptance.learns) == (False, True)


@pytest.mark.asyncio(loop_scope="module")
async def test_it_is_heard_where_nothing_is_learned(engine: Engine, user: str) -> None:
    before = engine.settings
    engine.use(before.model_copy(update={"remember": False}))
    try:
        said = await asks(engine, user, FOR_A_DAY[0])
    finally:
        engine.use(before)
    assert (said.reason, until(engine, said.scope) is not None) == ("paused", True)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pause_without_an_end_is_not_made_shorter(engine: Engine, user: str) -> None:
    scope = (await asks(engine, user, "Hello.")).scope
    assert scope is not None
    await engine.ledger.people.switches.pause(scope.partition, user, "recall", None)
    assert (await asks(engine, user, FOR_A_DAY[0])).reason == "paused"
    assert until(engine, scope) is None
    assert not engine.ledger.people.switches.standing(
        scope, CALLER, datetime.now(UTC) + timedelta(days=9), engine.settings
    ).recall.allowed
