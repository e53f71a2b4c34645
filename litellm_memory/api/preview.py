"""A dry run over HTTP: what memory would do to a request, by the same code, with nothing stored."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException
from fastapi import Request as Asking
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from litellm_memory.api.shapes import shown_as
from litellm_memory.api.traces import TraceOut, trace_out
from litellm_memory.care.given import Shape
from litellm_memory.engine import Engine, Request, trace_of
from litellm_memory.gate.access import Access, ServedHere, Verified
from litellm_memory.gate.apart import apart
from litellm_memory.models import Caller

BY_PATH = "pass_through_endpoint"
"""The call type for which path and body determine the wire format."""
MOST_VALUES: Final = 200_000
"""Signs between values in the JSON: parsing more would hold up the process, wherever it is done."""
MOST_PARTS: Final = 2000
"""Messages and parts of a conversation, which are read on the event loop. Tools do not count: they are not read."""


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


async def read_apart(request: Asking) -> PreviewIn:
    """The body of a request. Raises 413 for more parts than can be read, and 422."""
    return await apart(partial(_read, await request.body()))


def few_values(content: bytes) -> bytes:
    """The body of a request. Raises 413 for one with so many values that parsing it would hold up the process."""
    if sum(map(content.count, (b",", b"{", b"["))) > MOST_VALUES:
        raise HTTPException(413, f"The body may have at most {MOST_VALUES} values.")
    return content


def _read(content: bytes) -> PreviewIn:
    few_values(content)
    try:
        asked = PreviewIn.model_validate(json.loads(content))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from None
    except (ValueError, RecursionError):
        raise HTTPException(422, "body: this is not valid JSON") from None
    if _parts({name: value for name, value in asked.body.items() if name not in ("tools", "functions")}) > MOST_PARTS:
        raise HTTPException(413, f"A conversation may have at most {MOST_PARTS} parts: ask about its newest messages.")
    return asked


def _parts(value: object) -> int:
    """How many objects and lists a value holds, itself included; counting ends soon after MOST_PARTS."""
    count, found = 0, [value]
    while found and count <= MOST_PARTS:
        inner = found.pop()
        count += 1
        items = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
        found += [item for item in items if isinstance(item, dict | list)]
    return count


@router.post(
    "/preview",
    summary="What memory would do to a request of this key; nothing is kept or sent",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": PreviewIn.model_json_schema()}}}
    },
)
async def preview(served: ServedHere, caller: Verified, asked: Annotated[PreviewIn, Depends(read_apart)]) -> PreviewOut:
    async with served.turns.preview.taken():
        return await _previewed(served.engine, caller, asked)


async def _previewed(engine: Engine, caller: Caller, asked: PreviewIn) -> PreviewOut:
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
    trace = trace_of(outcome.reading, outcome.injection) if outcome.reading else None
    return PreviewOut(
        status=outcome.status,
        reason=outcome.reason,
        kind=outcome.kind,
        count=outcome.count,
        tokens=outcome.tokens,
        block=outcome.block or None,
        body=outcome.body,
        trace=await trace_out(Access(engine, caller), trace) if trace else None,
    )
