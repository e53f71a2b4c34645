"""How a request would be routed: ``/memory-routing/info`` and ``/memory-routing/rules``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request

from litellm_memory.api import health
from litellm_memory.api.shapes import AllowanceOut, LayerOut
from litellm_memory.engine import Engine
from litellm_memory.gate.access import Access, Served, ServedHere, WithEngine, carries_key, verified
from litellm_memory.gate.browsers import is_this_host
from litellm_memory.identity import RoutingInfo, routing_info, rules_in_force
from litellm_memory.identity.headers import gathered, read_options
from litellm_memory.ledger import SWITCHES
from litellm_memory.models import Caller, Turn

router = APIRouter(prefix="/memory-routing", tags=["memory routing"])


def add_routing(app: FastAPI, served: Served) -> None:
    """Adds the two routes, and ``/memory-ready``, to another app: LiteLLM's own."""
    served.attach_to(app)
    app.include_router(router)
    app.include_router(health.beside)


async def asking(request: Request, served: ServedHere) -> Caller | None:
    """The caller; None for this host without a key, where that is allowed: it is shown no partition."""
    if served.open_on_loopback and not carries_key(request) and is_this_host(request):
        return None
    return await verified(request, served)


Asking = Annotated[Caller | None, Depends(asking)]


@router.get("/info", summary="How this very request would be routed; no credentials are echoed")
async def info(request: Request, engine: WithEngine, caller: Asking) -> Mapping[str, Any]:
    return routed(engine, caller, request.headers.items())


def routed(engine: Engine, caller: Caller | None, headers: Iterable[tuple[str, str]]) -> Mapping[str, Any]:
    """How a request of this caller with these headers would be routed."""
    settings = engine.settings.identity
    found = gathered(headers, settings)
    told = routing_info(caller, found, read_options(found, settings), Turn(()), settings)
    return {**told, **_standing(engine, caller, told)}


def _standing(engine: Engine, caller: Caller | None, told: RoutingInfo) -> Mapping[str, AllowanceOut | LayerOut | None]:
    """What memory may do for such a request, and what its team shares; null where it is not known whose it would be."""
    partition, user = told["partition"], told["user_id"]
    if caller is None or partition is None or user is None or told["refused"]:
        return dict.fromkeys((*SWITCHES, "layer"))
    access = Access(engine, caller)
    standing = access.standing(partition, user)
    allowances: dict[str, AllowanceOut | LayerOut | None] = {
        name: AllowanceOut.shown(getattr(standing, name)) for name in SWITCHES
    }
    return {**allowances, "layer": LayerOut.shown(access.layer)}


@router.get("/rules", summary="The identity rules in force, in order")
async def rules(engine: WithEngine, _: Asking) -> list[Mapping[str, Any]]:
    return list(rules_in_force(engine.settings.identity))
