"""The sidecar's FastAPI app: routes, authentication and errors put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from litellm_memory import __version__
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.metrics import Shared
from litellm_memory.models import Caller
from litellm_memory.sidecar.access import Authenticate, caller_of
from litellm_memory.sidecar.agents import tools_for_agents
from litellm_memory.sidecar.audit import audit_router
from litellm_memory.sidecar.browsers import Browsers
from litellm_memory.sidecar.jobs import jobs_router
from litellm_memory.sidecar.memories import memories_router
from litellm_memory.sidecar.metrics import metrics_router
from litellm_memory.sidecar.namespaces import namespaces_router
from litellm_memory.sidecar.portable import portable_router
from litellm_memory.sidecar.preview import preview_router
from litellm_memory.sidecar.rates import Rates
from litellm_memory.sidecar.review import review_router
from litellm_memory.sidecar.rollback import rollback_router
from litellm_memory.sidecar.routing import routing_router
from litellm_memory.sidecar.shapes import ErrorOut
from litellm_memory.sidecar.sizes import Sizes
from litellm_memory.sidecar.traces import traces_router
from litellm_memory.sidecar.unforeseen import Unforeseen
from litellm_memory.sidecar.usage import usage_router

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


def create_app(engine: Engine, authenticate: Authenticate, shared: Shared | None = None) -> FastAPI:
    """The app, with the keys that ``authenticate`` accepts and the operator's own.

    ``shared``: what already tells this process's figures; its own when there is none.
    """
    app = FastAPI(
        title="litellm-memory", version=__version__, docs_url=None, redoc_url=None, responses=_documented_errors()
    )
    app.add_middleware(Unforeseen, answer=_error(500, "Something went wrong; the log of the proxy names it."))
    app.add_middleware(Sizes)
    app.add_middleware(Browsers, host=engine.settings.sidecar.host, refuse=_error)
    rated = Rates(authenticate, lambda: engine.settings.sidecar.requests_per_minute)

    async def verified(request: Request) -> Caller:
        return await caller_of(request, rated, engine.settings)

    _answer_errors(app)
    _add_health(app, engine)
    app.include_router(metrics_router(engine, verified, shared or Shared(engine.ledger.figures)))
    app.include_router(routing_router(engine, rated, open_on_loopback=True))
    for router in (
        memories_router,
        namespaces_router,
        jobs_router,
        portable_router,
        preview_router,
        review_router,
        rollback_router,
        audit_router,
        traces_router,
        usage_router,
    ):
        app.include_router(router(engine, verified))
    app.routes.append(Route("/mcp", tools_for_agents(engine, verified), methods=["POST"], include_in_schema=False))
    return app


def _documented_errors() -> dict[int | str, dict[str, Any]]:
    """The errors that any route may answer with, for machines that read the description."""
    return {status: {"model": ErrorOut, "description": code.replace("_", " ")} for status, code in CODES.items()}


def _add_health(app: FastAPI, engine: Engine) -> None:
    @app.get("/health", tags=["health"], summary="The sidecar runs")
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/ready", tags=["health"], summary="Whether memory works; 503 and what to do when it does not")
    async def ready(response: Response) -> dict[str, Any]:
        response.status_code = 200 if engine.health.ready else 503
        return {"ready": engine.health.ready, "problems": engine.health.problems()}


def _answer_errors(app: FastAPI) -> None:
    """Every error is ``{"error": {"code", "message"}}``; none shows a stack or what the request held."""

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return _error(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"] if part != "body")
        return _error(422, f"{path or 'body'}: {first['msg']}")

    @app.exception_handler(NotFoundError)
    async def not_found(_: Request, error: NotFoundError) -> JSONResponse:
        return _error(404, str(error))

    @app.exception_handler(LiteLLMMemoryError)
    async def unavailable(_: Request, error: LiteLLMMemoryError) -> JSONResponse:
        return _error(503, str(error))


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"code": CODES.get(status, "error"), "message": message}}, status, headers)
