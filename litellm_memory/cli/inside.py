"""A sidecar inside the command's own process, on the data of a stopped proxy. What it imports takes a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from litellm_memory.cli.models import models_for
from litellm_memory.engine import Engine
from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.settings import Settings, read_config
from litellm_memory.sidecar import create_app


@asynccontextmanager
async def opened(settings: Settings, config: Path) -> AsyncIterator[Engine]:
    """An engine that reads and writes memories, but does not learn; ``config`` is the file with its models.

    Raises LiteLLMMemoryError.
    """
    # LiteLLM's import takes seconds.
    from litellm_memory.llm import count_tokens

    models = models_for(settings, await asyncio.to_thread(read_config, config))
    engine = Engine(settings, count=count_tokens, models=models)
    try:
        await engine.open_data()
        yield engine
    finally:
        await engine.aclose()


def client_inside(engine: Engine) -> httpx.AsyncClient:
    """A client of a sidecar in this process, with the rights of the master key."""

    async def everybody(headers: Mapping[str, str]) -> Caller:
        return Caller(master=True)

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(with_page(create_app(engine, authenticate=everybody))),
        base_url="http://localhost",
        headers={"authorization": "Bearer local"},
        timeout=None,
    )
