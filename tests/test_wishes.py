"""What a person wishes of memory: forgotten at once or asked about, undone within ten minutes, and said again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from bed.engines import opened_engine

from litellm_memory.care.erasure import Erasure
from litellm_memory.care.review import accept
from litellm_memory.care.undo import undo
from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError, StoreError
from litellm_memory.extract.commands import ASKS_TO_FORGET
from litellm_memory.learn.learner import Learner
from litellm_memory.learn.wishes import MOST_NAMED
from litellm_memory.ledger.journal import accept_exchanges, answer_exchanges, exchange_row
from litellm_memory.models import Caller, Exchange, Memory, Scope
from litellm_memory.store import memory_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS = "My address is 12 Elm Road in Leeds."
BEGUN = datetime.now(UTC) - timedelta(days=1)


class Person:
    """Says things to an engine whose learner only works when it is told to."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name
        self._learner = Learner(engine.ledger, engine.memories, lambda _: None)
        self._marks: dict[tuple[str | None, tuple[str, ...]], str] = {}

    @property
    def scope(self) -> Scope:
        return Scope("p", self.name)

    async def say(self, *said: str, session: str | None = "one", at: datetime | None = None) -> list[str]:
        """Learns the last of these messages of a conversation; returns what memory did with it."""
        await self.accept(*said, session=session, at=at)
        await self._learner.learn_waiting()
        return [memory.text for memory in await self.known()]

    def may_learn(self) -> tuple[bool, str, datetime | None]:
        """Whether anything is learned of this person, who says so, and until when."""
        switches, settings = self.engine.ledger.people.switches, self.engine.settings
        told = switches.standing(self.scope, Caller(user=self.name), datetime.now(UTC), settings).learn
        return told.allowed, told.by, told.until

    async def accept(self, *said: str, session: str | None = "one", at: datetime | None = None) -> None:
        mark, before = (f"{self.name}{session}{said[:end]}" for end in (len(said), len(said) - 1))
        exchange = Exchange(
            "call", replace(self.scope, session=session), str(hash(mark)), said[-1], at or datetime.now(UTC),
            place=len(said), before=str(hash(before)) if len(said) > 1 else None,
        )  # fmt: skip
        ledger = self.engine.ledger
        row = exchange_row(exchange, ledger.journal.worker)
        row |= {name: row[name].isoformat() for name in ("said", "written")}
        await ledger.database.write(lambda c: accept_exchanges(c, [row]))
        reply = {"mark": exchange.mark, "reply": None}
        await ledger.database.write(lambda c: answer_exchanges(c, [reply], ledger.journal.worker))

    async def known(self, *, waiting: bool = False) -> list[Memory]:
        kept = await self.engine.memories.all("p", self.name)
        return [memory for memory in kept if (memory.review is not None) == waiting]

    async def is_answered(self) -> bool:
        try:
            await self.known()
        except StoreError:
            return False
        return True

    async def forget_all(self) -> None:
        await self.engine.memories.forget_all(await self.known())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("wishes")) as engine:
        yield engine


@pytest.fixture
def ada(engine: Engine, request: pytest.FixtureRequest) -> Person:
    return Person(engine, request.node.name)


@pytest.mark.parametrize(
    "wish",
    ["Delete my address from your memory.", "Please delete everything you know about my address.",
     "Don't remember my address.", "Can you forget my address?", "I want you to forget my address."],
)  # fmt: skip
async def test_a_wish_forgets_what_it_names_and_becomes_no_memory(ada: Person, wish: str) -> None:
    assert await ada.say(ADDRESS) == [ADDRESS]
    assert await ada.say(ADDRESS, wish) == []
    assert await ada.known(waiting=True) == []


@pytest.mark.parametrize(
    "wish",
    ["Having epilepsy isn't something you need to hold on to. Please drop it from what you know of me.",
     "Über die Klinik von meinem Sohn hätt ich nicht reden sollen. Bitte streich das aus deinem Gedächtnis.",
     "Forget everything about me. And find me sheet music for the harp, I have been playing for six years.",
     "Don't remember my address. And find me sheet music for beginners on the harp."],
)  # fmt: skip
async def test_a_message_with_a_wish_becomes_no_memory_and_neither_do_its_parts(ada: Person, wish: str) -> None:
    assert await ada.say(wish) == []


async def test_what_is_stated_beside_a_wish_that_names_something_else_is_kept(ada: Person) -> None:
    await ada.say(ADDRESS)
    assert await ada.say(ADDRESS, "I have two cats. Please forget my address.") == ["I have two cats."]


async def test_a_wish_that_may_mean_something_else_is_asked_about_and_done_when_its_owner_says_so(ada: Person) -> None:
    await ada.say(ADDRESS)
    assert await ada.say(ADDRESS, "Delete my address.") == [ADDRESS]
    [known], [question] = await ada.known(), await ada.known(waiting=True)
    assert question.text == "Delete my address."
    await accept(ada.engine.memories, ada.engine.ledger.removed, "p", question.id)
    assert (await ada.known(), await ada.known(waiting=True)) == ([], [])
    assert (await undo(ada.engine.ledger, ada.engine.memories, "p", known.id)) == known


async def test_what_a_wish_removed_comes_back_unchanged_within_ten_minutes_and_not_later(ada: Person) -> None:
    await ada.say(ADDRESS)
    [memory] = await ada.known()
    await ada.say(ADDRESS, "Forget my address.")
    with pytest.raises(NotFoundError):
        await undo(ada.engine.ledger, ada.engine.memories, "other", memory.id)
    assert await undo(ada.engine.ledger, ada.engine.memories, "p", memory.id) == memory
    assert await ada.known() == [memory]
    await ada.say("Forget my address.", session="two")
    await ada.engine.ledger.removed.drop(until=datetime.now(UTC))
    with pytest.raises(NotFoundError):
        await undo(ada.engine.ledger, ada.engine.memories, "p", memory.id)


async def test_a_pause_holds_for_its_conversation_with_and_without_a_session(ada: Person) -> None:
    for session in ("one", None):
        first = f"I live in Leeds, says {session}."
        await ada.say("Don't remember this conversation.", session=session)
        assert await ada.say("Don't remember this conversation.", first, session=session) == []
        assert await ada.say("Don't remember this conversation.", first, "I have a dog.", session=session) == []
    assert await ada.say("I have a dog.", session="two") == ["I have a dog."]


@pytest.mark.parametrize(
    "wish",
    [
        "Don't remember anything I say today.",
        "Merk dir heute nichts von dem, was ich sage.",
        "Ne retiens pas ce que je dis aujourd'hui.",
        "No recuerdes lo que digo hoy.",
    ],
)
async def test_a_pause_for_the_day_turns_the_persons_own_switch_which_they_can_turn_back(
    ada: Person, wish: str
) -> None:
    now = datetime.now(UTC)
    assert await ada.say(wish, at=now) == []
    assert ada.may_learn() == (False, "person", now + timedelta(days=1))
    await ada.engine.ledger.people.switches.resume("p", ada.name, "learn")
    assert ada.may_learn() == (True, "default", None)


async def test_a_pause_that_is_over_turns_no_switch(ada: Person) -> None:
    await ada.say("Don't remember anything I say today.", at=datetime.now(UTC) - timedelta(days=2))
    assert ada.may_learn() == (True, "default", None)


@pytest.mark.parametrize(
    ("again", "session", "kept", "waits"),
    [
        ((ADDRESS,), "two", 1, 0),
        (("Hello there, my friend of old.", ADDRESS), "two", 1, 0),
        ((ADDRESS, "Thanks.", ADDRESS), "one", 1, 0),
        ((ADDRESS,), "one", 0, 0),
        (("Thanks.",), "one", 0, 0),
    ],
    ids=["another session", "later in another session", "later in the conversation", "sent again", "something else"],
)
async def test_what_was_forgotten_is_learned_again_only_when_it_is_said_anew(
    ada: Person, again: tuple[str, ...], session: str, kept: int, waits: int
) -> None:
    await ada.say(ADDRESS)
    await ada.forget_all()
    assert len(await ada.say(*again, session=session)) == kept
    assert len(await ada.known(waiting=True)) == waits


async def test_an_edit_of_what_stands_before_it_says_nothing_anew(ada: Person) -> None:
    await ada.say("Good morning to you.", ADDRESS)
    await ada.forget_all()
    assert await ada.say("Good evening to you.", ADDRESS) == []


async def test_where_nothing_names_a_session_the_same_words_wait_for_their_owner(ada: Person) -> None:
    await ada.say(ADDRESS, session=None)
    await ada.forget_all()
    assert await ada.say(ADDRESS, session=None) == []
    assert [memory.text for memory in await ada.known(waiting=True)] == [ADDRESS]


async def test_what_was_said_before_it_was_forgotten_and_is_learned_late_stays_forgotten(ada: Person) -> None:
    await ada.say(ADDRESS)
    await ada.forget_all()
    assert await ada.say(ADDRESS, session="two", at=BEGUN) == []


async def test_after_an_erasure_the_same_is_learned_when_it_is_said_anew(ada: Person, tmp_path: Path) -> None:
    await ada.say(ADDRESS)
    erasure = Erasure(ada.engine.ledger, ada.engine.memories, tmp_path)
    await erasure.ask("p", ada.name)
    async with asyncio.timeout(60):
        await erasure.work()
        # Files are written anew by another owner of the store: a call at that moment fails, and learning tries again.
        while not await ada.is_answered():
            await asyncio.sleep(0.05)
    assert await ada.say(ADDRESS) == []
    assert await ada.say(ADDRESS, session="two", at=BEGUN) == []
    assert await ada.say(ADDRESS, session="three") == [ADDRESS]


async def test_a_wish_about_more_than_one_question_can_name_asks_about_the_newest(ada: Person) -> None:
    when = [datetime.now(UTC) - timedelta(days=MOST_NAMED + 30 - number) for number in range(MOST_NAMED + 30)]
    known = [
        Memory(memory_id(ada.scope.namespace, str(n), key=b"k"), "p", ada.name, f"Town {n} is lovely.", "fact", day)
        for n, day in enumerate(when)
    ]
    await ada.engine.memories.keep(known)
    await ada.say("Forget everything about me.")
    [question] = await ada.known(waiting=True)
    named = (question.review or "").removeprefix(ASKS_TO_FORGET).split(", ")
    assert named == [memory.id for memory in known[-MOST_NAMED:]]
