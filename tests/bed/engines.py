"""An engine without a proxy, opened and closed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litellm_memory.engine import Engine
from litellm_memory.settings import Settings


@asynccontextmanager
async def opened_engine(
    data_dir: Path, *, count: Callable[[str], int] = lambda text: len(text.split()), **settings: Any
) -> AsyncIterator[Engine]:
    """An engine with an open store; a token is a word, unless ``count`` says else, and a busy machine is given time."""
    patient = {
        "recall": {"deadline_ms": 5000},
        "embedding": {"timeout_ms": 3000},
        "learn": {"meaning": False},
        **settings,
    }
    engine = Engine(Settings(data_dir=data_dir, **patient), count=count)
    engine.open()
    try:
        async with asyncio.timeout(90):
            while not engine.health.opened:
                await asyncio.sleep(0.01)
        yield engine
    finally:
        await engine.aclose()
