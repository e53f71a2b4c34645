"""Every route of the table through LiteLLM: what the provider got, what the client got, what was learned."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from bed.answers import Received
from bed.compare import folded, steady, texts_in, without_block
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from bed.routes import ROUTES, UNTOUCHED, Route, Untouched, reached

MEMORY = "My sister Anna plays the cello in Graz."
STATEMENT = "I water the ferns on the balcony every Monday."
QUESTION = f"{STATEMENT} Which instrument does my sister Anna play?"
CONVERSATION = ("Good morning.", "Good morning to you.", QUESTION)
LATER = "My bicycle stands in the cellar of the neighbours."
OFF = {"x-memory-inject": "false", "x-memory-store": "false"}
MEMORY_HEADERS = ("x-memory-", "x-ai-mem-", "x-maia-")

_users = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Seen:
    """One route asked twice: with memory, and with memory switched off by headers."""

    answer: httpx.Response
    received: list[Received]
    bare_answer: httpx.Response
    bare_received: list[Received]
    learned: list[dict[str, Any]]
    """The user's memories after the request with memory and one more request have both been learned."""


@pytest.fixture(scope="module", params=ROUTES, ids=lambda route: route.id)
def route(request: pytest.FixtureRequest) -> Route:
    """One row of the table."""
    asked: Route = request.param
    return asked


@pytest.fixture(scope="module")
def seen_on(session_provider: Provider, session_proxy: Proxy, session_memories: Memories) -> dict[str, Seen]:
    """What both ends saw of each route: all are asked before the first is waited for."""
    asked = {route.id: _asked(route, session_provider, session_proxy, session_memories) for route in ROUTES}
    return {name: Seen(*seen, _learned(user, session_memories)) for name, (user, *seen) in asked.items()}


@pytest.fixture
def seen(route: Route, seen_on: Mapping[str, Seen]) -> Seen:
    """What both ends saw of this route."""
    return seen_on[route.id]


def _asked(
    route: Route, provider: Provider, proxy: Proxy, memories: Memories
) -> tuple[str, httpx.Response, list[Received], httpx.Response, list[Received]]:
    """The person who asked, and what both ends saw."""
    user, stranger = f"route-{next(_users)}", f"bare-{next(_users)}"
    memories.add(MEMORY, user=user)
    key = proxy.master_key
    provider.reset()
    with httpx.Client(base_url=proxy.url, timeout=60, trust_env=False, verify=False) as client:
        sent = {"x-memory-user-id": user, "x-maia-token-budget": "500"}
        answer = route.send(client, CONVERSATION, key=key, headers=sent)
        received = _posts(provider)
        bare_answer = route.send(client, CONVERSATION, key=key, headers={"x-memory-user-id": stranger, **OFF})
        bare_received = _posts(provider)
    _say_more(user, proxy)
    return user, answer, received, bare_answer, bare_received


def test_the_memory_reaches_the_provider_once_before_the_persons_own_words(route: Route, seen: Seen) -> None:
    [received] = seen.received
    assert reached(received.path, route.upstream)
    texts = texts_in(received.body)
    assert sum(text.count(MEMORY) for text in texts) == 1
    [at] = [number for number, text in enumerate(texts) if MEMORY in text]
    assert texts[at].endswith(f"\n\n{QUESTION}") or texts[at + 1 : at + 2] == [QUESTION]


def test_nothing_else_of_what_the_provider_gets_changes(route: Route, seen: Seen) -> None:
    [received], [bare] = seen.received, seen.bare_received
    rest = without_block(received.body, marker=MEMORY, words=QUESTION)
    assert (folded(rest) if route.folds else rest) == (folded(bare.body) if route.folds else bare.body)
    assert (received.method, received.path, received.query) == (bare.method, bare.path, bare.query)


def test_the_answer_reaches_the_client_unchanged(route: Route, seen: Seen) -> None:
    assert (seen.answer.status_code, route.text(seen.answer)) == (200, "Noted.")
    assert steady(seen.answer.content) == steady(seen.bare_answer.content)
    assert seen.answer.headers.get("content-type") == seen.bare_answer.headers.get("content-type")


def test_the_exchange_is_learned_once(seen: Seen) -> None:
    [memory] = mentioning(seen.learned, STATEMENT)
    assert (memory["kind"], memory["text"]) == ("fact", STATEMENT)


def test_the_response_headers_tell_what_memory_did(seen: Seen) -> None:
    told = {name: value for name, value in seen.answer.headers.items() if name.startswith("x-memory-")}
    assert told["x-memory-status"] == "injected"
    assert told["x-memory-reason"]
    assert int(told["x-memory-count"]) == 1
    assert 0 < int(told["x-memory-tokens"]) <= 500


def test_no_memory_header_reaches_the_provider(seen: Seen) -> None:
    sent = [name for received in (*seen.received, *seen.bare_received) for name in received.headers]
    assert [name for name in sent if name.startswith(MEMORY_HEADERS)] == []


@pytest.mark.parametrize("call", UNTOUCHED, ids=lambda call: call.id)
def test_what_is_no_question_to_a_model_stays_untouched_and_teaches_nothing(
    call: Untouched, user: str, proxy: Proxy, provider: Provider, memories: Memories
) -> None:
    memories.add(MEMORY, user=user)
    with httpx.Client(base_url=proxy.url, timeout=60, trust_env=False, verify=False) as client:
        answer = call.send(client, QUESTION, key=proxy.master_key, headers={"x-memory-user-id": user})
        received = _posts(provider)
        bare_answer = call.send(client, QUESTION, key=proxy.master_key, headers={"x-memory-user-id": user, **OFF})
        bare_received = _posts(provider)
    assert [request.raw for request in received] == [request.raw for request in bare_received]
    assert [name for request in received for name in request.headers if name.startswith(MEMORY_HEADERS)] == []
    assert (answer.status_code, steady(answer.content)) == (200, steady(bare_answer.content))
    _say_more(user, proxy)
    assert mentioning(_learned(user, memories), STATEMENT) == []


def _posts(provider: Provider) -> list[Received]:
    """What clients sent since the last look; LiteLLM's own look at the provider's list of models is no such thing."""
    return [received for received in provider.take() if received.method == "POST"]


def _say_more(user: str, proxy: Proxy) -> None:
    """A later request: once it is learned, what was sent before it has been too, or never will be."""
    body = {"model": "gpt", "messages": [{"role": "user", "content": LATER}]}
    with proxy.client() as client:
        client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": user}).raise_for_status()


def _learned(user: str, memories: Memories) -> list[dict[str, Any]]:
    """The user's memories once the later request has been learned."""
    return memories.wait_for(user, lambda found: bool(mentioning(found, LATER)))
