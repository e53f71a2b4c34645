"""A dry run over HTTP: what memory would do to a request, by the very code that does it, with nothing kept."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends

from litellm_memory.engine import Engine, Request
from litellm_memory.models import Caller
from litellm_memory.request.tracing import trace_of
from litellm_memory.sidecar.shapes import PreviewIn, PreviewOut
from litellm_memory.sidecar.traces import told

BY_PATH = "pass_through_endpoint"
"""The call type under which the path and the body tell the wire format."""


def preview_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """``/v1/preview``."""
    router = APIRouter(prefix="/v1", tags=["preview and traces"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.post("/preview", summary="What memory would do to a request of this key; nothing is kept or sent")
    async def preview(caller: Verified, asked: PreviewIn) -> PreviewOut:
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
            trace=await told(engine, trace_of(outcome.reading, outcome.injection)) if outcome.reading else None,
        )

    return router
