"""What each route of the sidecar is flooded with: the dearest of what an ordinary client may ask again and again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bed.exports import chatgpt

NUMBER: Final = "NUMBER"
"""Replaced by another number in each request."""
STORE: Final = "STORE"
"""Replaced by the flooding key's own partition."""
LONG: Final = "The lease of the office ends in March, said Anna. "
NOWHERE: Final = "0" * 40
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, sent again and again."""

    url: str
    content: str = ""
    media_type: str = JSON

    def numbered(self, number: int, store: str) -> Asked:
        """The request with its placeholders filled in."""
        url, content = (text.replace(NUMBER, str(number)).replace(STORE, store) for text in (self.url, self.content))
        return Asked(url, content, self.media_type)


def _chat(messages: int) -> dict[str, object]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": f"{n} {LONG}"} for n in range(2 * messages - 1)]}


_SAID: Final = [{"at": "2026-05-01T10:00:00Z", "reply": "Noted."}] * 20
_PAST: Final = {"conversations": [{"body": _chat(20), "said": _SAID, "user": f"past {NUMBER}"}]}
_EXPORT: Final = chatgpt(LONG, 200)
_TOOL: Final = {"name": "search", "arguments": {"query": f"When does the lease {NUMBER} end?"}}


def _json(url: str, body: object) -> Asked:
    return Asked(url, json.dumps(body))


FLOODS: Final[Mapping[str, Asked]] = {
    "GET /health": Asked("/health"),
    "GET /ready": Asked("/ready"),
    "GET /metrics": Asked("/metrics"),
    "GET /memory-routing/info": Asked("/memory-routing/info"),
    "GET /memory-routing/rules": Asked("/memory-routing/rules"),
    "GET /v1/audit": Asked("/v1/audit"),
    "POST /v1/audit/secrets": _json("/v1/audit/secrets", {}),
    "POST /v1/browse": _json("/v1/browse", {"query": "lease office", "state": "any", "limit": 200}),
    "POST /v1/bulk": _json("/v1/bulk", {"action": "pin", "ids": [f"{n:040x}" for n in range(500)]}),
    "POST /v1/convert": Asked(
        "/v1/convert?name=conversations.json", json.dumps(chatgpt(LONG, 200)), "application/octet-stream"
    ),
    "GET /v1/evaluation": Asked("/v1/evaluation?limit=1000"),
    "GET /v1/export": Asked("/v1/export"),
    "GET /v1/export/person": Asked("/v1/export/person"),
    "POST /v1/feedback": _json("/v1/feedback", {"call": f"call-{NUMBER}", "score": 1}),
    "GET /v1/history/{memory_id}": Asked(f"/v1/history/{NOWHERE}"),
    "POST /v1/identify": _json("/v1/identify", {"headers": {f"x-{n}": "x" for n in range(100)}}),
    "POST /v1/import": Asked(
        "/v1/import",
        "\n".join(json.dumps({"text": f"{NUMBER}-{n} {LONG}", "user": "import"}) for n in range(20)),
        "application/x-ndjson",
    ),
    "POST /v1/import/conversations": _json("/v1/import/conversations?dry_run=true", _PAST),
    "POST /v1/jobs": Asked("/v1/jobs"),
    "GET /v1/jobs": Asked("/v1/jobs"),
    "GET /v1/jobs/{job_id}": Asked("/v1/jobs/00000000"),
    "GET /v1/me": Asked("/v1/me"),
    "PUT /v1/me": _json("/v1/me", {"learn": {"paused": True}}),
    "GET /v1/memories": Asked("/v1/memories?limit=1000"),
    "POST /v1/memories": _json("/v1/memories", {"text": f"Lease {NUMBER} ends in March.", "user": "adds"}),
    "POST /v1/memories/search": _json("/v1/memories/search", {"query": f"When does lease {NUMBER} end?"}),
    "GET /v1/memories/{memory_id}": Asked(f"/v1/memories/{NOWHERE}"),
    "PATCH /v1/memories/{memory_id}": _json(f"/v1/memories/{NOWHERE}", {"text": LONG}),
    "DELETE /v1/memories/{memory_id}": Asked(f"/v1/memories/{NOWHERE}"),
    "POST /v1/memories/{memory_id}/undo": Asked(f"/v1/memories/{NOWHERE}/undo"),
    "GET /v1/namespaces": Asked("/v1/namespaces"),
    "DELETE /v1/namespaces": Asked("/v1/namespaces"),
    "GET /v1/namespaces/{user}": Asked("/v1/namespaces/default"),
    "DELETE /v1/namespaces/{user}": Asked(f"/v1/namespaces/nobody-{NUMBER}"),
    "GET /v1/namespaces/{user}/memories": Asked("/v1/namespaces/default/memories?limit=1000"),
    "GET /v1/partitions": Asked("/v1/partitions"),
    "POST /v1/people": _json("/v1/people", {"name": "ada"}),
    "POST /v1/people/erase": _json("/v1/people/erase", {"name": f"nobody-{NUMBER}"}),
    "POST /v1/preview": _json("/v1/preview", {"body": _chat(100)}),
    "GET /v1/review": Asked("/v1/review?limit=1000"),
    "POST /v1/review/{memory_id}": _json(f"/v1/review/{NOWHERE}", {"action": "accept"}),
    "POST /v1/rollback": _json("/v1/rollback", {"since": "2020-01-01T00:00:00Z", "dry_run": True}),
    "GET /v1/shared": Asked("/v1/shared"),
    "POST /v1/shared": _json("/v1/shared", {"memory": NOWHERE}),
    "GET /v1/shared/proposals": Asked("/v1/shared/proposals"),
    "DELETE /v1/shared/proposals/{memory_id}": Asked(f"/v1/shared/proposals/{NOWHERE}"),
    "GET /v1/shared/of/{memory_id}": Asked(f"/v1/shared/of/{NOWHERE}"),
    "GET /v1/state": Asked("/v1/state"),
    "GET /v1/times": Asked("/v1/times"),
    "GET /v1/traces": Asked("/v1/traces?limit=1000"),
    "GET /v1/traces/{trace_id}": Asked("/v1/traces/none"),
    "GET /v1/usage": Asked("/v1/usage?by=user"),
    "POST /v1/vector_stores/{store_id}/search": _json(
        f"/v1/vector_stores/{STORE}/search", {"query": f"When does lease {NUMBER} end?"}
    ),
    "POST /mcp": _json("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": _TOOL}),
    "GET /": Asked("/"),
    "GET /api/session": Asked("/api/session"),
    "POST /api/session": _json("/api/session", {"key": f"sk-{NUMBER}"}),
}
"""By route."""

# The erasure of everything comes last: what is flooded with it has nothing left to be listed.
LAST: Final = "DELETE /v1/namespaces"
ROUTES: Final = (*(route for route in FLOODS if route != LAST), LAST)
