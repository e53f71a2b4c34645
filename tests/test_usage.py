"""The ledger of calls: its sums are what the provider counted, call by call, and nobody sees another's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import httpx
import pytest
from bed.answers import INPUT_TOKENS, OUTPUT_TOKENS, Answer
from bed.memories import Memories
from bed.provider import Provider
from bed.proxy import Proxy

from litellm_memory.api.usage import UsageRow
from litellm_memory.ledger import GROUPINGS, Usage

MESSAGES = [{"role": "user", "content": "How many moons does Jupiter have?"}]
BODIES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("/v1/chat/completions", {"model": "gpt", "messages": MESSAGES}),
    ("/v1/chat/completions", {"model": "gpt", "messages": MESSAGES, "stream": True}),
    ("/v1/chat/completions", {"model": "claude", "messages": MESSAGES}),
    ("/v1/chat/completions", {"model": "gemini", "messages": MESSAGES, "stream": True}),
    ("/v1/messages", {"model": "claude", "max_tokens": 99, "messages": MESSAGES}),
    ("/v1/messages", {"model": "gpt", "max_tokens": 99, "messages": MESSAGES, "stream": True}),
    ("/v1/responses", {"model": "gpt", "input": "How many moons does Jupiter have?"}),
    ("/v1/completions", {"model": "gpt-instruct", "prompt": "How many moons does Jupiter have?"}),
)


def test_a_row_of_usage_tells_all_that_the_ledger_sums_up_in_its_order() -> None:
    sums = [field.name for field in fields(Usage) if field.name != "group"]
    assert list(UsageRow.model_fields) == [*GROUPINGS, "label", *sums]


def usage_of(sidecar: httpx.Client, user: str) -> dict[str, Any]:
    rows = sidecar.get("/v1/usage", params={"by": "user"}).raise_for_status().json()["data"]
    return next((row for row in rows if row["user"] == user), {"calls": 0})


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("rounds", [6, pytest.param(125, marks=pytest.mark.long)])
def test_the_sums_are_what_the_provider_counted(
    proxy: Proxy, client: httpx.Client, provider: Provider, memories: Memories, user: str, rounds: int
) -> None:
    failed = 0
    provider.take()
    for round_ in range(rounds):
        for path, body in BODIES:
            answer = client.post(path, json=body, headers={"x-memory-user-id": user})
            assert answer.status_code == 200, answer.text
        if round_ % 5 == 0:
            provider.script(Answer(status=400))
            refused = client.post(*BODIES[0][:1], json=BODIES[0][1], headers={"x-memory-user-id": user})
            assert refused.status_code == 400
            failed += 1
    asked = len(provider.take())
    with proxy.sidecar() as sidecar:
        wait_for(lambda: usage_of(sidecar, user)["calls"] == asked)
        found = usage_of(sidecar, user)
    assert {name: found[name] for name in ("calls", "failures", "retries", "input_tokens", "output_tokens")} == {
        "calls": rounds * len(BODIES) + failed,
        "failures": failed,
        "retries": 0,
        "input_tokens": rounds * len(BODIES) * INPUT_TOKENS,
        "output_tokens": rounds * len(BODIES) * OUTPUT_TOKENS,
    }
    assert asked == found["calls"]
    assert found["cost"] > 0


def test_a_call_whose_retry_succeeds_is_one_call(
    proxy: Proxy, client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    provider.script(Answer(status=500))
    body = {"model": "gpt", "messages": MESSAGES, "num_retries": 1}
    assert client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": user}).status_code == 200
    with proxy.sidecar() as sidecar:
        wait_for(lambda: usage_of(sidecar, user).get("output_tokens") == OUTPUT_TOKENS)
        found = usage_of(sidecar, user)
    assert (found["calls"], found["failures"]) == (1, 0)


def test_calls_are_summed_by_what_is_asked_for_and_rated(
    proxy: Proxy, client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    headers = {"x-memory-user-id": user, "x-memory-project": "shop"}
    answer = client.post("/v1/chat/completions", json=BODIES[0][1], headers=headers)
    with proxy.sidecar() as sidecar:
        wait_for(lambda: usage_of(sidecar, user)["calls"] == 1)
        rated = {"call": answer.headers["x-memory-trace"], "score": -1}
        assert sidecar.post("/v1/feedback", json=rated).status_code == 204
        assert sidecar.post("/v1/feedback", json={"call": "nobody", "score": 1}).status_code == 404
        by = {"by": ["user", "project", "model", "day"]}
        [row] = [row for row in sidecar.get("/v1/usage", params=by).json()["data"] if row["user"] == user]
        lines = sidecar.get("/v1/usage", params={**by, "format": "csv"}).text.splitlines()
    assert (row["project"], row["model"], row["feedback"], row["client"]) == ("shop", "openai/gpt-4o-mini", -1.0, None)
    assert lines[0].startswith("model,user,project,day,calls,")
    assert any(line.startswith(f"openai/gpt-4o-mini,{user},shop,{row['day']},1,") for line in lines[1:])
