"""How a request would be routed: ``/memory-routing/info`` and ``/memory-routing/rules``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request

from litellm_memory.identity import routing_info, rules_in_force
from litellm_memory.identity.headers import gathered, read_options
from litellm_memory.models import Caller, Turn
from litellm_memory.sidecar.access import Served, ServedHere, WithEngine, carries_key, is_loopback, verified

router = APIRouter(prefix="/memory-routing", tags=["memory routing"])


def add_routing(app: FastAPI, served: Served) -> None:
    """Adds the two routes to another app: LiteLLM's own."""
    served.attach_to(app)
    app.include_router(router)


async def asking(request: Request, served: ServedHere) -> Caller | None:
    """The caller; None for this host without a key, where that is allowed: it is shown no partition."""
    if served.open_on_loopback and not carries_key(request) and is_loopback(request):
        return None
    return await verified(request, served)


Asking = Annotated[Caller | None, Depends(asking)]


@router.get("/info", summary="How this very request would be routed; no credentials are echoed")
async def info(request: Request, engine: WithEngine, caller: Asking) -> Mapping[str, Any]:
    settings = engine.settings.identity
    headers = gathered(request.headers.items(), settings)
    return routing_info(caller, headers, read_options(headers, settings), Turn(()), settings)


@router.get("/rules", summary="The identity rules in force, in order")
async def rules(engine: WithEngine, _: Asking) -> list[Mapping[str, Any]]:
    return list(rules_in_force(engine.settings.identity))
