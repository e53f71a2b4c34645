"""No log line quotes a memory, a prompt or a header, whatever is sent to the proxy and to the sidecar."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from bed.memories import Memories
from bed.proxy import Proxy

BENCH = Path(__file__).resolve().parents[1] / "scripts" / "bench"
CANARY = "quokka77canary"
ASKED = f"When does my locker {CANARY} open in Lisbon?"
SPOILT = (f"{CANARY}{{", json.dumps({CANARY: CANARY, "text": [CANARY], "user": f"{CANARY}\0"}), json.dumps([CANARY]))
"""No JSON, and JSON that is not what any route takes."""
BODIES: tuple[dict[str, Any], ...] = (
    {"messages": [{"role": "user", "content": ASKED}]},
    {"messages": CANARY},
    {"messages": [{"role": "user", "content": f"{ASKED} \ud800"}]},
    {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": None, "tool_calls": CANARY}]},
)


@pytest.fixture
def requests() -> Iterator[Any]:
    """The benchmark's table of a request for each route."""
    sys.path.insert(0, str(BENCH))
    yield import_module("flood_requests")
    sys.path.remove(str(BENCH))


def test_no_log_line_has_a_word_of_what_was_said_or_remembered(
    session_proxy: Proxy, session_memories: Memories, requests: Any
) -> None:
    user = "canary"
    session_memories.add(f"My locker {CANARY} opens in Lisbon.", user=user)
    headers = {"content-type": "application/json", "x-memory-user-id": user, "x-memory-token-budget": CANARY}
    with session_proxy.client() as client:
        for route in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
            for body in BODIES:
                client.post(route, content=json.dumps({"model": "gpt", **body}), headers=headers)
            client.post(route, content=f'{{"model": "gpt", "messages": "{CANARY}', headers=headers)
    with session_proxy.sidecar() as client:
        for route in requests.ROUTES:
            method, _, path = route.partition(" ")
            if method == "DELETE" and "namespaces" in path:
                continue  # It would erase what other tests keep in this proxy.
            asked = requests.FLOODS[route]
            told = {"content-type": asked.media_type, "accept": "application/json, text/event-stream"}
            for body in SPOILT:
                client.request(method, asked.url.replace(requests.NOWHERE, CANARY), content=body, headers=told)
                client.request(method, f"{path}?cursor={CANARY}&limit={CANARY}", content=body, headers=told)
    logs = [path for path in session_proxy.directory.rglob("*.log") if "journal" not in path.parts]
    assert logs
    lines = [line for path in logs for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    assert [line for line in lines if CANARY in line] == []
