"""Liveness and readiness, without a key."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from litellm_memory import __version__
from litellm_memory.sidecar.access import WithEngine

router = APIRouter(tags=["health"])


@router.get("/health", summary="The sidecar runs")
async def health() -> dict[str, str]:
    return {"status": "ok", "version": __version__}


@router.get("/ready", summary="Whether memory works; 503 and what to do when it does not")
async def ready(engine: WithEngine, response: Response) -> dict[str, Any]:
    response.status_code = 200 if engine.health.ready else 503
    return {"ready": engine.health.ready, "problems": engine.health.problems()}
