"""How a request would be routed: ``/memory-routing/info`` and ``/memory-routing/rules``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request

from litellm_memory.engine import Engine
from litellm_memory.identity import routing_info, rules_in_force
from litellm_memory.identity.headers import gathered, read_options
from litellm_memory.models import Caller, Turn
from litellm_memory.sidecar.access import Authenticate, caller_of, carries_key, is_loopback


def routing_router(engine: Engine, authenticate: Authenticate, *, open_on_loopback: bool = False) -> APIRouter:
    """The two routes. ``open_on_loopback``: this host may ask without a key, and is told no partition."""
    router = APIRouter(prefix="/memory-routing", tags=["memory routing"])

    async def caller(request: Request) -> Caller | None:
        if open_on_loopback and not carries_key(request) and is_loopback(request):
            return None
        return await caller_of(request, authenticate, engine.settings)

    @router.get("/info", summary="How this very request would be routed; no credentials are echoed")
    async def info(request: Request) -> Mapping[str, Any]:
        settings = engine.settings.identity
        headers = gathered(request.headers.items(), settings)
        return routing_info(await caller(request), headers, read_options(headers, settings), Turn(()), settings)

    @router.get("/rules", summary="The identity rules in force, in order")
    async def rules(request: Request) -> list[Mapping[str, Any]]:
        await caller(request)
        return list(rules_in_force(engine.settings.identity))

    return router
