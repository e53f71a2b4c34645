"""How late an event loop is: a beat every few milliseconds inside LiteLLM's own process, as ``bed.pulse.pulse``."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from litellm.integrations.custom_logger import CustomLogger

BEAT_SECONDS = 0.005


class Pulse(CustomLogger):
    """Writes a line for every beat: when it was, and how many milliseconds late. Called while the event loop runs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._task = asyncio.get_running_loop().create_task(_beat(path))


async def _beat(path: Path) -> None:
    loop = asyncio.get_running_loop()
    with path.open("w", encoding="ascii", buffering=1) as file:
        while True:
            due = loop.time() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            file.write(f"{time.time():.3f} {(loop.time() - due) * 1000:.3f}\n")


def lateness(path: Path, *, since: float) -> list[float]:
    """Milliseconds that the beats from then on (seconds since the epoch) were late."""
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines() if line.count(" ") == 1)
    return [float(late) for at, late in lines if since <= float(at)]


if "BED_PULSE" in os.environ:
    pulse = Pulse(Path(os.environ["BED_PULSE"]))
