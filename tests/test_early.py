"""A question goes ahead to the search process: the one that the hook asks, and only for a key that was verified."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from bed.routes import ROUTES, Route

from litellm_memory.embedding import LocalModel, install_model
from litellm_memory.hooks.call import Call
from litellm_memory.hooks.early import MOST_BYTES, MOST_KEYS, Early
from litellm_memory.models import Caller
from litellm_memory.request.ahead import question_ahead
from litellm_memory.settings import Settings

QUESTION = "What is our staging database called?"
EARLIER = "My boat is called Zorvikel.", "A fine name."
HEADERS = {"authorization": "Bearer sk-somebody"}
PATH = "/v1/chat/completions"
ASKED = {"messages": [{"role": "user", "content": QUESTION}]}


class Engine:
    """Stands where the engine does, and notes what goes ahead."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.expected: list[tuple[Any, str, Mapping[str, str]]] = []

    def expect(self, body: Any, path: str, headers: Mapping[str, str]) -> None:
        self.expected.append((body, path, headers))


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def early(engine: Engine) -> Early:
    return Early(engine)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    opened = LocalModel.open(install_model(report=lambda step, share: None))
    yield opened
    opened.close()


async def received(early: Early, pieces: list[bytes], headers: Mapping[str, str] = HEADERS) -> None:
    """A request whose body comes in pieces; LiteLLM receives each as it was sent."""
    sent = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    ]
    waiting = iter([*sent, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(waiting)

    reading = early.reading(Call(headers=headers, path=PATH), receive)
    assert [await reading() for _ in range(len(sent) + 1)] == [*sent, {"type": "http.disconnect"}]


def verified(early: Early, headers: Mapping[str, str] = HEADERS) -> None:
    early.note(Call(headers=headers, caller=Caller()))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.id)
def test_what_goes_ahead_is_what_the_hook_asks_for_on_every_route(route: Route) -> None:
    conversation = (*EARLIER, QUESTION)
    assert question_ahead(route.body(conversation), route.path, {}, Settings()) == QUESTION


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        (ASKED, {"x-memory-query": "our database"}, "our database"),
        (ASKED, {"x-memory-inject": "false"}, None),
        ({"messages": [{"role": "user", "content": "thanks"}]}, {}, None),
        ({"messages": [*ASKED["messages"], {"role": "assistant", "content": "heron-42"}]}, {}, None),
        ({"messages": "no"}, {}, None),
        ([], {}, None),
    ],
    ids=["another query", "no memory wanted", "nothing to search for", "no new words", "no conversation", "no object"],
)
def test_nothing_goes_ahead_that_is_not_searched_for(body: Any, headers: Mapping[str, str], wanted: str | None) -> None:
    assert question_ahead(body, PATH, headers, Settings()) == wanted


async def test_a_question_goes_ahead_once_its_body_is_there(early: Early, engine: Engine) -> None:
    verified(early)
    content = json.dumps(ASKED).encode()
    await received(early, [content])
    await received(early, [content[:9], content[9:], b""])
    assert engine.expected == [(ASKED, PATH, HEADERS)] * 2


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (json.dumps(ASKED), {"authorization": "Bearer sk-another"}),
        (json.dumps(ASKED), {}),
        ("{", HEADERS),
        (json.dumps(ASKED) + " " * MOST_BYTES, HEADERS),
    ],
    ids=["a key that was not verified", "no key", "no JSON", "a long body"],
)
async def test_nothing_goes_ahead_for(early: Early, engine: Engine, content: str, headers: Mapping[str, str]) -> None:
    verified(early)
    await received(early, [content.encode()], headers)
    assert engine.expected == []


async def test_a_request_that_litellm_refused_verifies_no_key(early: Early, engine: Engine) -> None:
    early.note(Call(headers=HEADERS))
    await received(early, [json.dumps(ASKED).encode()])
    assert engine.expected == []


async def test_a_key_is_forgotten_after_five_minutes_and_when_many_others_come(
    early: Early, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps(ASKED).encode()
    verified(early)
    for number in range(MOST_KEYS):
        verified(early, {"authorization": f"Bearer sk-{number}"})
    await received(early, [content])
    assert engine.expected == []
    verified(early)
    monkeypatch.setattr("litellm_memory.hooks.early.VERIFIED_SECONDS", 0.0)
    await received(early, [content])
    assert engine.expected == []


async def test_a_vector_that_was_begun_ahead_is_made_once(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = LocalModel._vector
    monkeypatch.setattr(LocalModel, "_vector", lambda self, text: made.append(text) or make(self, text))
    ahead = asyncio.create_task(model.query_ahead(QUESTION))
    await asyncio.sleep(0)
    one, other = await asyncio.gather(model.query(QUESTION), model.query(QUESTION))
    await ahead
    assert made == [QUESTION]
    assert (one == other).all()


async def test_who_gives_up_takes_no_vector_from_the_others(model: LocalModel) -> None:
    text = "Which harbour is she in?"
    giving_up = asyncio.create_task(model.query(text))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(model.query(text))
    await asyncio.sleep(0)
    giving_up.cancel()
    assert (await waiting).shape == (LocalModel.dimension,)


def test_the_search_process_is_told_on_the_way(tmp_path: Path) -> None:
    """The operation has a name at both ends."""
    from litellm_memory.searcher import Searcher

    assert "expect" in Searcher(tmp_path).answers
