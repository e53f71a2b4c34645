"""A search begins before its request is verified, and what it finds is given to the very same verified question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.memories import Memories
from bed.proxy import Proxy
from bed.routes import ROUTES, Route

from litellm_memory.engine import Engine, Request
from litellm_memory.engine.health import Health
from litellm_memory.engine.searching import AHEAD, MOST_AHEAD, Searching
from litellm_memory.errors import StoreError
from litellm_memory.hooks.call import Call
from litellm_memory.hooks.early import MOST_BYTES, MOST_KEYS, Early
from litellm_memory.memories.query import Query
from litellm_memory.models import Block, Caller, Scope
from litellm_memory.request.finding import FoundBlock, Look
from litellm_memory.settings import Settings
from litellm_memory.wire.recognition import BY_PATH

FACT = "Our staging database is called heron-42."
QUESTION = "What is our staging database called?"
EARLIER = "My boat is called Zorvikel.", "A fine name."
HEADERS = {"authorization": "Bearer sk-somebody"}
PATH = "/v1/chat/completions"
ASKED = {"model": "gpt", "messages": [{"role": "user", "content": QUESTION}]}
ADA = Caller(user="ada", key="a" * 64)
NOW = datetime.now(UTC)
MARK = "f" * 32


# --- whose requests are read early ---


class Begun:
    """Stands where the engine does, and notes whose searches begin."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def ahead(self, request: Request) -> None:
        self.requests.append(request)


@pytest.fixture
def begun() -> Begun:
    return Begun()


@pytest.fixture
def early(begun: Begun) -> Early:
    return Early(begun)  # type: ignore[arg-type]


async def received(early: Early, pieces: list[bytes], headers: Mapping[str, str] = HEADERS) -> str:
    """A request whose body comes in pieces; LiteLLM receives each as it was sent. Returns the call's id."""
    sent = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    ]
    waiting = iter([*sent, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(waiting)

    call = Call(headers=headers, path=PATH)
    reading = await early.reading(call, receive)
    assert [await reading() for _ in range(len(sent) + 1)] == [*sent, {"type": "http.disconnect"}]
    return call.id


def verified(early: Early, headers: Mapping[str, str] = HEADERS) -> None:
    early.note(Call(headers=headers, caller=ADA), refused=False)


async def test_a_search_begins_once_the_body_is_there_for_whom_the_key_was_verified(early: Early, begun: Begun) -> None:
    verified(early)
    content = json.dumps(ASKED).encode()
    calls = [await received(early, pieces) for pieces in ([content], [content[:9], content[9:], b""])]
    assert begun.requests == [
        Request(call, BY_PATH, PATH, HEADERS, ASKED, ADA, models=("gpt",), dry=True) for call in calls
    ]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (json.dumps(ASKED), {"authorization": "Bearer sk-another"}),
        (json.dumps(ASKED), {}),
        ("{", HEADERS),
        ("[]", HEADERS),
        (json.dumps(ASKED) + " " * MOST_BYTES, HEADERS),
    ],
    ids=["a key that was not verified", "no key", "no JSON", "no object", "a long body"],
)
async def test_no_search_begins_for(early: Early, begun: Begun, content: str, headers: Mapping[str, str]) -> None:
    verified(early)
    await received(early, [content.encode()], headers)
    assert begun.requests == []


@pytest.mark.parametrize("before", [False, True], ids=["a key that nobody knows", "a key that is over its limit"])
async def test_a_request_that_litellm_refused_begins_no_further_search(
    early: Early, begun: Begun, *, before: bool
) -> None:
    if before:
        verified(early)
    early.note(Call(headers=HEADERS), refused=True)
    await received(early, [json.dumps(ASKED).encode()])
    assert begun.requests == []


async def test_a_request_that_memory_does_not_look_at_takes_nothing_from_its_key(early: Early, begun: Begun) -> None:
    verified(early)
    early.note(Call(headers=HEADERS), refused=False)
    await received(early, [json.dumps(ASKED).encode()])
    assert len(begun.requests) == 1


async def test_a_key_is_forgotten_after_five_minutes_and_when_many_others_come(
    early: Early, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps(ASKED).encode()
    verified(early)
    for number in range(MOST_KEYS):
        verified(early, {"authorization": f"Bearer sk-{number}"})
    await received(early, [content])
    verified(early)
    monkeypatch.setattr("litellm_memory.hooks.early.VERIFIED_SECONDS", 0.0)
    await received(early, [content])
    assert begun.requests == []


# --- what is searched for ---


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        yield opened


def request(body: Any, headers: Mapping[str, str] | None = None, *, path: str = PATH) -> Request:
    return Request("call", BY_PATH, path, headers or {}, body, ADA, models=("gpt",))


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        (ASKED, {}, QUESTION),
        (ASKED, {"x-memory-query": "our database"}, "our database"),
        (ASKED, {"x-memory-inject": "false"}, None),
        ({"messages": [{"role": "user", "content": "thanks"}]}, {}, None),
        ({"messages": [*ASKED["messages"], {"role": "assistant", "content": "heron-42"}]}, {}, None),
        ({"messages": "no"}, {}, None),
    ],
    ids=["a question", "another query", "no memory wanted", "nothing to search for", "no new words", "no conversation"],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_only_what_is_searched_for_is_searched_for_early(
    engine: Engine, body: Any, headers: Mapping[str, str], wanted: str | None
) -> None:
    question = await engine.before.question(request(body, headers))
    assert (question and question[0].text) == wanted


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_is_kept_of_a_question_that_was_read_early(engine: Engine) -> None:
    end = engine.journal._log.end()
    assert await engine.before.question(request(ASKED))
    assert engine.journal._log.end() == end


# --- whom a result is given to ---


class Connected:
    """Stands where the connection to the search process does; answers when it is told to."""

    gone = False

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.fails = False

    def begin(self, operation: str, *arguments: Any) -> asyncio.Future[Any]:
        self.asked.append((operation, *arguments))
        return asyncio.ensure_future(self._answer(operation, *arguments))

    async def ask(self, seconds: float, operation: str, *arguments: Any) -> Any:
        return await self.begin(operation, *arguments)

    async def _answer(self, operation: str, *arguments: Any) -> Any:
        if self.fails:
            raise StoreError("It ended.")
        if operation != "find":
            return None
        [_, look, _] = orjson.loads(arguments[0])
        return orjson.dumps(FoundBlock(Block(look["mark"])))


QUERY = Query(QUESTION, Scope("p", "ada"), limit=24, min_score=0.3, tokens=512, said=frozenset({MARK}))
LOOK = Look(MARK, "xml")
EMPTY = FoundBlock(Block(MARK))


@pytest.fixture
def connected() -> Connected:
    return Connected()


@pytest.fixture
def searching(tmp_path: Path, connected: Connected) -> Searching:
    made = Searching(tmp_path, Settings, Health(), None)
    made._connection = connected  # type: ignore[assignment]
    return made


async def test_the_very_same_question_is_answered_by_the_search_that_was_begun(
    searching: Searching, connected: Connected
) -> None:
    searching.ahead((QUERY, LOOK, NOW))
    found = await searching(replace(QUERY), replace(LOOK), now=NOW + timedelta(milliseconds=4))
    assert (found, len(connected.asked)) == (replace(EMPTY, ahead_ms=4.0), 1)


OTHERS = {
    "somebody else's": (replace(QUERY, scope=Scope("p", "bob")), LOOK, NOW),
    "another key's": (replace(QUERY, scope=Scope("q", "ada")), LOOK, NOW),
    "of another session alone": (replace(QUERY, scope=Scope("p", "ada", session="s", only_session=True)), LOOK, NOW),
    "with a team's memories": (replace(QUERY, shared=Scope("team", "shared")), LOOK, NOW),
    "in other words": (replace(QUERY, text="Which harbour is she in?"), LOOK, NOW),
    "with another limit": (replace(QUERY, limit=1), LOOK, NOW),
    "under another threshold": (replace(QUERY, min_score=0.5), LOOK, NOW),
    "beside other blocks": (replace(QUERY, without=frozenset({"m"})), LOOK, NOW),
    "in another format": (QUERY, replace(LOOK, format="markdown"), NOW),
    "long after": (QUERY, LOOK, NOW + AHEAD + timedelta(milliseconds=1)),
}


@pytest.mark.parametrize("question", OTHERS.values(), ids=OTHERS)
async def test_any_other_question_is_searched_for_itself(
    searching: Searching, connected: Connected, question: tuple[Query, Look, datetime]
) -> None:
    searching.ahead((QUERY, LOOK, NOW))
    query, look, now = question
    assert await searching(query, look, now=now) == EMPTY
    assert len(connected.asked) == 2


async def test_what_was_begun_is_given_once(searching: Searching, connected: Connected) -> None:
    searching.ahead((QUERY, LOOK, NOW))
    searching.ahead((QUERY, LOOK, NOW))
    assert [await searching(QUERY, LOOK, now=NOW) for _ in range(2)] == [replace(EMPTY, ahead_ms=0.0), EMPTY]
    assert len(connected.asked) == 2


@pytest.mark.parametrize("change", ["follow", "configure"])
async def test_what_was_begun_before_memories_or_settings_changed_is_given_to_nobody(
    searching: Searching, connected: Connected, change: str
) -> None:
    searching.ahead((QUERY, LOOK, NOW))
    await asyncio.sleep(0)
    await getattr(searching, change)()
    assert await searching(QUERY, LOOK, now=NOW) == EMPTY
    assert [operation for operation, *_ in connected.asked] == ["find", change, "find"]


async def test_a_search_that_failed_early_is_made_anew(searching: Searching, connected: Connected) -> None:
    connected.fails = True
    searching.ahead((QUERY, LOOK, NOW))
    while not all(task.done() for _, task in searching._ahead.values()):
        await asyncio.sleep(0)
    connected.fails = False
    assert await searching(QUERY, LOOK, now=NOW) == EMPTY


async def test_of_many_searches_that_nobody_asks_for_the_oldest_are_given_up(
    searching: Searching, connected: Connected
) -> None:
    questions = [replace(QUERY, text=f"Question {number}?") for number in range(MOST_AHEAD + 1)]
    for query in questions:
        searching.ahead((query, LOOK, NOW))
    found = [await searching(query, LOOK, now=NOW) for query in questions]
    assert found == [EMPTY, *[replace(EMPTY, ahead_ms=0.0)] * MOST_AHEAD]


async def test_nothing_begins_while_the_search_process_is_away(searching: Searching, connected: Connected) -> None:
    connected.gone = True
    searching.ahead((QUERY, LOOK, NOW))
    assert (searching._ahead, connected.asked) == ({}, [])


# --- on every route ---


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.id)
def test_the_hook_is_given_what_was_begun_on_every_route(
    route: Route, client: httpx.Client, proxy: Proxy, memories: Memories, user: str
) -> None:
    """LiteLLM fact: between a request's arrival and the pre-call hook it changes nothing that memory searches by."""
    headers = {"x-memory-user-id": user}
    memories.add(FACT, user=user)
    key = proxy.master_key
    asked = [route.send(client, (*EARLIER, f"{QUESTION} {number}"), key=key, headers=headers) for number in (1, 2)]
    assert [answer.headers["x-memory-status"] for answer in asked] == ["injected", "injected"]
    with proxy.sidecar() as sidecar:
        trace = sidecar.get(f"/v1/traces/{asked[1].headers['x-memory-trace']}").raise_for_status().json()
    assert trace["stages"]["ahead"] > 0
