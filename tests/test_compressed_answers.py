"""Whole answers may be compressed for clients that accept it; what they say is learned all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bed.answers import Answer
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import STARTUP_HOOKS, VERTEX_HOOK, Proxy
from bed.routes import ROUTES, Route

STATEMENT = "Please water the ferns on the balcony while we are away, the palm on the stairs has had enough for now."
ANSWER = " ".join(f"Noted, for week number {week}." for week in range(30))
FORMATS = ("chat to openai", "responses to openai", "messages to anthropic", "/gemini", "/bedrock converse")


@pytest.fixture(scope="module")
def compressing(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """LiteLLM with memory round a middleware that compresses; not every version of LiteLLM compresses by itself."""
    environment = {STARTUP_HOOKS: f"{VERTEX_HOOK},bed.inside:compress_answers"}
    directory = tmp_path_factory.mktemp("compressing")
    with Proxy(directory, session_provider.url, memory={}, environment=environment) as proxy:
        yield proxy


@pytest.mark.parametrize("route", [route for route in ROUTES if route.id in FORMATS], ids=lambda route: route.id)
def test_a_compressed_answer_is_kept_with_its_message(
    route: Route, user: str, compressing: Proxy, provider: Provider
) -> None:
    provider.answer = Answer(ANSWER)
    with compressing.client() as client, compressing.sidecar() as sidecar:
        memories = Memories(compressing, sidecar)
        memories.wait_until_ready()
        headers = {"x-memory-user-id": user, "accept-encoding": "gzip"}
        answer = route.send(client, [STATEMENT], key=compressing.master_key, headers=headers)
        assert answer.headers["content-encoding"] == "gzip"
        # A fresh process learns for the first time here, which takes longer than later on.
        [memory] = mentioning(memories.wait_for(user, bool, within=30), STATEMENT)
    assert memory["reply"] == ANSWER
