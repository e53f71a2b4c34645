"""A dry run over HTTP: what memory would do to a request, by the same code, with nothing stored."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from litellm_memory.engine import Request, trace_of
from litellm_memory.sidecar.access import Verified, WithEngine
from litellm_memory.sidecar.shapes import Shape, shown_as
from litellm_memory.sidecar.traces import TraceOut, trace_out

BY_PATH = "pass_through_endpoint"
"""The call type for which path and body determine the wire format."""


class PreviewIn(Shape):
    """A request as a client would send it to LiteLLM."""

    model_config = shown_as(
        path="/v1/messages",
        headers={"x-memory-project": "github.com/acme/shop"},
        body={"messages": [{"role": "user", "content": "When do we release?"}]},
    )

    path: str = Field("/v1/chat/completions", max_length=2000)
    headers: Mapping[str, str] = Field(default_factory=dict)
    body: Mapping[str, Any]


class PreviewOut(Shape):
    """What memory would do to it. ``block`` is the text for its newest message, ``body`` what a model would be sent."""

    status: str
    reason: str
    kind: str | None
    count: int
    tokens: int
    block: str | None
    body: Mapping[str, Any] | None
    trace: TraceOut | None


router = APIRouter(prefix="/v1", tags=["preview and traces"])


@router.post("/preview", summary="What memory would do to a request of this key; nothing is kept or sent")
async def preview(engine: WithEngine, caller: Verified, asked: PreviewIn) -> PreviewOut:
    model = asked.body.get("model")
    outcome = await engine.before(
        Request(
            id=secrets.token_hex(16),
            call_type=BY_PATH,
            route=asked.path,
            headers={name.lower(): value for name, value in asked.headers.items()},
            body=asked.body,
            caller=caller,
            models=(model,) if isinstance(model, str) else (),
            dry=True,
        )
    )
    return PreviewOut(
        status=outcome.status,
        reason=outcome.reason,
        kind=outcome.kind,
        count=outcome.count,
        tokens=outcome.tokens,
        block=outcome.block or None,
        body=outcome.body,
        trace=await trace_out(engine, trace_of(outcome.reading, outcome.injection)) if outcome.reading else None,
    )
