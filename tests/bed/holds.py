"""How long memory's own code holds LiteLLM's event loop, sampled inside its process, as ``bed.holds.holds``.

A timer interrupts the main thread every two milliseconds. The innermost frame that is of this package or of LiteLLM
tells whose work it is; samples count as one hold until the loop has come to its next callback.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import litellm
from litellm.integrations.custom_logger import CustomLogger

import litellm_memory

SAMPLE_SECONDS = 0.002
SHORTEST_MS = 4.0
"""Shorter holds are not written down."""
OURS = str(Path(litellm_memory.__file__).parent)
THEIRS = str(Path(litellm.__file__).parent)


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold: when it ended (seconds since the epoch), its milliseconds of processor time and by the clock, and the
    function that was seen last."""

    at: float
    processor_ms: float
    clock_ms: float
    where: str


class Holds(CustomLogger):
    """Writes a line for every hold. Called while the event loop runs, in its thread."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._began: tuple[float, float] | None = None
        self._last: tuple[float, float, str] = (0.0, 0.0, "")
        self._thread = threading.get_ident()
        self._collecting = self._collected = 0.0
        gc.callbacks.append(self._collects)
        signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def _collects(self, phase: str, _info: dict[str, int]) -> None:
        """A garbage collection walks LiteLLM's objects too, whoever was at work when it was due: nobody's hold."""
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self._collecting = time.thread_time()
        elif self._collecting:
            self._collected += time.thread_time() - self._collecting
            self._collecting = 0.0

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        where = _ours(frame)
        if where is None:
            return
        now = time.thread_time() - self._collected, time.perf_counter()
        if self._began is None:
            self._began = now
            self._loop.call_soon(self._ended)
        self._last = (*now, where)

    def _ended(self) -> None:
        began, self._began = self._began, None
        if began is None:
            return
        # The first sample is up to one interval after the beginning, and so is the end after the last.
        processor, clock = ((self._last[n] - began[n] + SAMPLE_SECONDS) * 1000 for n in (0, 1))
        if processor >= SHORTEST_MS:
            self._file.write(f"{time.time():.3f} {processor:.1f} {clock:.1f} {self._last[2]}\n")


def _ours(frame: FrameType | None) -> str | None:
    """The innermost function of this package, unless LiteLLM's code is what it has called."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(OURS):
            return f"{Path(file).relative_to(OURS)}:{frame.f_code.co_name}"
        if file.startswith(THEIRS):
            return None
        frame = frame.f_back
    return None


def held(path: Path, *, since: float = 0.0) -> list[Hold]:
    """The holds from then on (seconds since the epoch)."""
    lines = (line.split(" ", 3) for line in path.read_text(encoding="utf-8").splitlines() if line.count(" ") >= 3)
    found = (Hold(float(at), float(processor), float(clock), where) for at, processor, clock, where in lines)
    return [hold for hold in found if hold.at >= since]


if "BED_HOLDS" in os.environ:
    holds = Holds(Path(os.environ["BED_HOLDS"]))
