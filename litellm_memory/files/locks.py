"""Locks between the processes of a host: a file that one process at a time holds, and lets go of when it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TextIO

from filelock import lock_descriptor

POLL_SECONDS = 0.1


def open_lock(path: Path) -> TextIO:
    """The lock file at ``path``, made for this user alone, as its directory is; not held yet. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(path, "a", opener=lambda name, flags: os.open(name, flags, 0o600))


def take_lock(lock: TextIO) -> bool:
    """True when this process holds the file from now until it is closed; False at once when another one does."""
    return lock_descriptor(lock.fileno(), blocking=False)


def wait_for_lock(lock: TextIO, *, timeout_s: float) -> bool:
    """True once this process holds the file; False when another one does not let go of it in time."""
    deadline = time.monotonic() + timeout_s
    while not take_lock(lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
