"""Faults inside LiteLLM's own process: loaded there after memory, as ``bed.faults.fault``, switched on by a file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from litellm.integrations.custom_logger import CustomLogger
from numpy.typing import NDArray
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError

import litellm_memory

EMBEDDER_RAISES = "the embedder raises"
EMBEDDER_WAITS = "the embedder waits"
LEDGER_DAMAGED = "the ledger is damaged"

DIMENSION = 384

_switch = Path(os.environ["BED_FAULT"])


def _in_force() -> str:
    try:
        return _switch.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


async def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Everything means the same to this embedder, unless a test wants it to raise, or to wait as long as it says so."""
    if _in_force() == EMBEDDER_RAISES:
        raise RuntimeError("asked to fail")
    while _in_force() == EMBEDDER_WAITS:
        await asyncio.sleep(0.02)
    return np.full((len(texts), DIMENSION), DIMENSION**-0.5, np.float32)


def execute(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
    """Every statement fails as SQLite's do on a damaged file, which its caches would hide for an unknown time."""
    if _in_force() == LEDGER_DAMAGED:
        raise DatabaseError(statement, None, sqlite3.DatabaseError("database disk image is malformed"))


engine = litellm_memory.handler.engine
engine.memories._embed = embed
event.listen(engine.ledger._engine, "before_cursor_execute", execute)
fault = CustomLogger()
