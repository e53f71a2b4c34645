"""Builds the sidecar's FastAPI app: routes, authentication, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from litellm_memory import __version__
from litellm_memory.api import (
    audit,
    evaluation,
    health,
    jobs,
    memories,
    metrics,
    namespaces,
    past,
    people,
    portable,
    preview,
    review,
    rollback,
    routing,
    shared,
    traces,
    usage,
    vector_stores,
)
from litellm_memory.api.shapes import ErrorOut
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError, NotFoundError, TooManySwitchesError
from litellm_memory.files.address import without_paths
from litellm_memory.gate.access import Served
from litellm_memory.gate.browsers import Browsers
from litellm_memory.gate.rates import Authenticate
from litellm_memory.gate.sizes import Sizes
from litellm_memory.gate.turns import Turns
from litellm_memory.gate.unforeseen import Unforeseen
from litellm_memory.ledger import AmbiguousNameError, TooManyJobsError
from litellm_memory.metrics import Shared
from litellm_memory.sidecar.agents import AgentTools

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
RETRY_AFTER: Final = "5"
"""Seconds: by then another process has been started, or a scope of 100,000 memories was read."""


_PARTS: Final = (
    health,
    metrics,
    routing,
    memories,
    namespaces,
    jobs,
    people,
    portable,
    past,
    preview,
    review,
    shared,
    rollback,
    audit,
    traces,
    evaluation,
    usage,
    vector_stores,
)
ROUTERS: Final = tuple(part.router for part in _PARTS)
"""All routers except ``/mcp``, in the order of the OpenAPI description."""


def create_app(
    engine: Engine,
    authenticate: Authenticate,
    shared: Shared | None = None,
    turns: Turns | None = None,
    routes: Sequence[BaseRoute] | None = None,
) -> FastAPI:
    """The app, for the keys that ``authenticate`` accepts and the operator's own.

    ``shared``, ``turns`` and ``routes``: those of another app of this process; otherwise it makes its own.
    """
    app = FastAPI(
        title="litellm-memory",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        responses=_documented_errors(),
        exception_handlers={
            HTTPException: _refused,
            RequestValidationError: _invalid,
            NotFoundError: _not_found,
            AmbiguousNameError: _ambiguous,
            TooManyJobsError: _too_many,
            TooManySwitchesError: _too_many,
            LiteLLMMemoryError: _unavailable,
        },
    )
    app.add_middleware(Unforeseen, answer=_error(500, "Something went wrong; the log of the proxy names it."))
    app.add_middleware(Sizes)
    app.add_middleware(Browsers, host=engine.settings.sidecar.host, refuse=_error)
    figures, waiting = shared or Shared(engine.ledger.figures), turns or Turns()
    Served(engine, authenticate, figures, open_on_loopback=True, turns=waiting).attach_to(app)
    if routes is not None:
        app.routes[:] = routes
        return app
    for router in ROUTERS:
        app.include_router(router)
    app.routes.append(Route("/mcp", AgentTools(), methods=["POST"], include_in_schema=False))
    return app


def _documented_errors() -> dict[int | str, dict[str, Any]]:
    """The errors that any route may return, for the OpenAPI description."""
    return {status: {"model": ErrorOut, "description": code.replace("_", " ")} for status, code in CODES.items()}


# Every error is ``{"error": {"code", "message"}}``; none contains a stack trace or content of the request.


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, str(error.detail), error.headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"] if part != "body")
    return _error(422, f"{path or 'body'}: {first['msg']}")


async def _not_found(_: Request, error: Exception) -> JSONResponse:
    return _error(404, str(error))


async def _ambiguous(_: Request, error: Exception) -> JSONResponse:
    return _error(409, str(error))


async def _too_many(_: Request, error: Exception) -> JSONResponse:
    return _error(429, str(error), {"retry-after": "60"})


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    served: Served = request.app.state.litellm_memory
    return _error(503, without_paths(str(error), served.engine.settings.data_dir), {"retry-after": RETRY_AFTER})


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"code": CODES.get(status, "error"), "message": message}}, status, headers)
