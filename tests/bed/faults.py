"""Faults inside LiteLLM's own process: loaded there after memory, as ``bed.faults.fault``, switched on by a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from litellm.integrations.custom_logger import CustomLogger
from numpy.typing import NDArray

import litellm_memory
from litellm_memory.embedding import LocalModel
from litellm_memory.errors import ModelCallError

EMBEDDER_RAISES = "the embedder raises"
EMBEDDER_WAITS = "the embedder waits"

_switch = Path(os.environ["BED_FAULT"])


def _in_force() -> str:
    try:
        return _switch.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


class Faulty:
    """Everything means the same to this embedder, unless a test wants it to raise, or to wait as long as it says so."""

    identity = LocalModel.identity

    async def documents(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        if _in_force() == EMBEDDER_RAISES:
            raise ModelCallError("asked to fail")
        while _in_force() == EMBEDDER_WAITS:
            await asyncio.sleep(0.02)
        return list(np.full((len(texts), LocalModel.dimension), LocalModel.dimension**-0.5, np.float32))

    async def query(self, text: str) -> NDArray[np.float32]:
        [vector] = await self.documents([text])
        return vector

    def close(self) -> None:
        """Nothing is open."""


engine = litellm_memory.handler.engine
engine.embedders._local = Faulty()
fault = CustomLogger()
