"""Conversations of any length: their blocks stay where they were, and LiteLLM's event loop is left to others."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.holds import Hold, held
from bed.memories import Memories
from bed.provider import Provider
from bed.proxy import Proxy
from test_sidecar_pace import FLOODS, TEXTS

from litellm_memory.engine import Engine, Outcome, Request
from litellm_memory.models import Block, Caller, Given
from litellm_memory.request.long import MOST_BLOCKS_AT_ONCE

JSON: TypeAlias = dict[str, Any]

LONG = 10_000
HELD_MS = 20.0
"""Milliseconds of processor time that no request of memory's holds the event loop for."""
QUESTION = "What is my staging database called?"
FACT = "My staging database is called heron-42."


def said(number: int) -> list[JSON]:
    """So many messages, which end with the question."""
    roles = itertools.cycle(("user", "assistant"))
    talk = [{"role": role, "content": f"When is it {n}?"} for n, role in zip(range(number - 1), roles, strict=False)]
    return [*talk, {"role": "user", "content": QUESTION}]


# --- the blocks ---


def asked(user: str, messages: Sequence[JSON]) -> Request:
    return Request(
        id=os.urandom(8).hex(),
        call_type="acompletion",
        route="/v1/chat/completions",
        headers={"x-memory-user-id": user},
        body={"model": "gpt", "messages": messages},
        caller=Caller(user="ada"),
        models=("gpt",),
    )


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path) as opened:
        yield opened


async def frozen(engine: Engine, outcome: Outcome, places: Sequence[int]) -> None:
    """Each of these messages of the person gets a block, as if they had been asked one by one."""
    assert outcome.reading is not None
    for place in places:
        one = outcome.reading.said[place]
        # Of its own namespace, or it would be cut as one that a team shared once.
        space = outcome.reading.scope.namespace
        given = Given(f"{space[:16]}{place:024x}", f"memory {place}", 3, "")
        block = Block(one.mark, f"<memory>{place}</memory>", (given,), answered=True)
        await engine.journal.blocks.freeze(block, namespace=space, call="an earlier one")


async def test_each_block_of_a_long_conversation_is_replayed_where_it_stood(tmp_path: Path) -> None:
    number = 4 * MOST_BLOCKS_AT_ONCE + 1
    messages = said(number)
    places = [0, 1, MOST_BLOCKS_AT_ONCE - 1, MOST_BLOCKS_AT_ONCE, number // 2 - 1]
    expected = [dict(message) for message in messages]
    for place in places:
        expected[2 * place]["content"] = f"<memory>{place}</memory>\n\n{expected[2 * place]['content']}"
    async with opened_engine(tmp_path) as engine:
        await frozen(engine, await engine.before(asked("long", messages)), places)
        again = await engine.before(asked("long", messages))
        assert again.body is not None
        assert again.body["messages"] == expected
        assert again.count == len(places)
    # From the database, where nothing is in RAM any more.
    async with opened_engine(tmp_path) as engine:
        later = await engine.before(asked("long", messages))
        assert later.body is not None
        assert later.body["messages"] == expected


async def test_a_group_is_known_by_what_was_said_lately(engine: Engine) -> None:
    names = itertools.cycle(("Anna", "Ben"))
    group = [
        {"role": "user", "content": f"{name}: I think it is in May."}
        for name, _ in zip(names, range(1500), strict=False)
    ]
    assert not (await engine.before(asked("group", group))).acceptance.learns
    alone = [{"role": "user", "content": f"When is it {n}?"} for n in range(1500)]
    assert (await engine.before(asked("alone", alone))).acceptance.learns


# --- the event loop ---


@pytest.fixture(scope="module")
def sampled(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Path]]:
    """A proxy whose event loop is sampled, with a memory that every question here is given, and where the holds are."""
    path = tmp_path_factory.mktemp("holds") / "holds"
    callbacks = {"litellm_settings": {"callbacks": ["litellm_memory.handler", "bed.holds.holds"]}}
    proxy = Proxy(
        tmp_path_factory.mktemp("proxy"),
        session_provider.url,
        memory={},
        config=callbacks,
        environment={"BED_HOLDS": str(path)},
    )
    with proxy, proxy.sidecar() as client:
        memories = Memories(proxy, client)
        memories.wait_until_ready()
        memories.add(FACT, user="default")
        yield proxy, path


def gemini(messages: Sequence[JSON]) -> list[JSON]:
    return [
        {"role": "user" if one["role"] == "user" else "model", "parts": [{"text": one["content"]}]} for one in messages
    ]


def tool_loop(number: int) -> list[JSON]:
    """A question, and so many messages of calls and results behind it."""
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    step = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "nothing"},
    ]
    return [{"role": "user", "content": QUESTION}, *(step * (number // 2))]


REQUESTS: Mapping[str, tuple[str, JSON]] = {
    "chat": ("/v1/chat/completions", {"model": "gpt", "messages": said(LONG + 1)}),
    "messages of the person alone": (
        "/v1/chat/completions",
        {"model": "gpt", "messages": [{"role": "user", "content": one["content"]} for one in said(LONG)]},
    ),
    "a tool loop": ("/v1/chat/completions", {"model": "gpt", "messages": tool_loop(LONG)}),
    "messages": ("/v1/messages", {"model": "claude", "max_tokens": 100, "messages": said(LONG + 1)}),
    "responses": ("/v1/responses", {"model": "gpt", "input": said(LONG + 1)}),
    "contents": ("/v1beta/models/gemini:generateContent", {"contents": gemini(said(LONG + 1))}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_no_long_conversation_holds_up_litellms_event_loop(sampled: tuple[Proxy, Path], name: str) -> None:
    proxy, path = sampled
    route, body = REQUESTS[name]
    with proxy.client() as client:

        def ask() -> None:
            answer = client.post(route, json=body)
            answer.raise_for_status()
            assert answer.headers["x-memory-status"] in ("injected", "replayed", "skipped")
            # What LiteLLM logs comes behind the answer, and before the next one's.
            client.post("/v1/chat/completions", json={"model": "gpt", "messages": said(1)}).raise_for_status()

        longest = longest_holds(path, ask)
    assert min(hold.processor_ms for hold in longest) < HELD_MS, longest


def longest_holds(path: Path, ask: Callable[[], None]) -> list[Hold]:
    """The longest hold of each asking, again when one was long: then it may have been a garbage collection, which
    LiteLLM's own objects are due to."""
    longest: list[Hold] = []
    while len(longest) < 3 and min((hold.processor_ms for hold in longest), default=HELD_MS) >= HELD_MS:
        since = time.time()
        ask()
        longest.append(
            max(held(path, since=since), key=lambda hold: hold.processor_ms, default=Hold(0, 0, 0, "nowhere"))
        )
    return longest


@pytest.fixture(scope="module")
def filled(sampled: tuple[Proxy, Path]) -> tuple[Proxy, Path]:
    """The same proxy with long memories, and some that wait for review."""
    proxy, _ = sampled
    with proxy.sidecar() as client:
        for user, about in (("default", {}), ("waiting", {"review": "It names a rule."})):
            lines = "\n".join(json.dumps({"text": text, **about}) for text in TEXTS[:100])
            client.post(f"/v1/import?user={user}", content=lines, timeout=300).raise_for_status()
    return sampled


@pytest.mark.parametrize(
    "flood", [pytest.param(name, marks=[pytest.mark.long] * (number % 4 > 0)) for number, name in enumerate(FLOODS)]
)
def test_no_request_to_the_sidecar_holds_up_litellms_event_loop(filled: tuple[Proxy, Path], flood: str) -> None:
    proxy, path = filled
    _, request = FLOODS[flood]
    with proxy.sidecar() as client:

        def ask() -> None:
            answer = client.request(**{"headers": {"content-type": "application/json"}, **request}, timeout=300)
            assert answer.status_code < 500
            client.get("/health")

        longest = longest_holds(path, ask)
    assert min(hold.processor_ms for hold in longest) < HELD_MS, longest
