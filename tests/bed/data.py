"""A data directory, and waiting until its owner process has let go of it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from litellm_memory.files.address import lock_path, read_record


def end_owner(data_dir: Path) -> None:
    """Tells the owner of a directory, if there is one, to leave."""
    owner = read_record(data_dir)
    if owner is not None:
        with suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGTERM)


async def let_go(data_dir: Path) -> None:
    """Tells the owner to leave, and returns when no owner holds the directory."""
    end_owner(data_dir)
    async with asyncio.timeout(90):
        while lock_path(data_dir).read_text():
            await asyncio.sleep(0.02)
