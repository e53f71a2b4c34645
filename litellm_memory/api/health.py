"""Liveness and readiness, without a key."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from litellm_memory import __version__
from litellm_memory.files.address import without_paths
from litellm_memory.gate.access import WithEngine

router = APIRouter(tags=["health"])


@router.get("/health", summary="The sidecar runs")
async def health() -> dict[str, str]:
    return {"status": "ok", "version": __version__}


beside = APIRouter(tags=["health"])
"""For LiteLLM's own port: there it answers also where the sidecar's port is another program's."""


@beside.get("/memory-ready", summary="As `/ready`, on LiteLLM's port")
@router.get("/ready", summary="Whether memory works; 503 and what to do when it does not")
async def ready(engine: WithEngine, response: Response) -> dict[str, Any]:
    response.status_code = 200 if engine.health.ready else 503
    # Nobody had to show a key.
    problems = {part: without_paths(told, engine.settings.data_dir) for part, told in engine.health.problems().items()}
    return {"ready": engine.health.ready, "problems": problems}
