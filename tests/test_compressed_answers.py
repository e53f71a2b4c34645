"""LiteLLM compresses whole answers for clients that accept it; what they say is learned all the same."""

from __future__ import annotations

import pytest
from bed.answers import Answer
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from bed.routes import ROUTES, Route

STATEMENT = "Please water the ferns on the balcony while we are away, the palm on the stairs has had enough for now."
ANSWER = " ".join(f"Noted, for week number {week}." for week in range(30))
FORMATS = ("chat to openai", "responses to openai", "messages to anthropic", "/gemini", "/bedrock converse")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.id in FORMATS], ids=lambda route: route.id)
def test_a_compressed_answer_is_kept_with_its_message(
    route: Route, user: str, proxy: Proxy, provider: Provider, memories: Memories
) -> None:
    provider.answer = Answer(ANSWER)
    with proxy.client() as client:
        headers = {"x-memory-user-id": user, "accept-encoding": "gzip"}
        answer = route.send(client, [STATEMENT], key=proxy.master_key, headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    [memory] = mentioning(memories.wait_for(user, bool), STATEMENT)
    assert memory["reply"] == ANSWER
