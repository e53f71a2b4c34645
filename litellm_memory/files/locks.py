"""Locks between the processes of a host: a file that one process holds at a time, and the kernel releases when it
ends."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TextIO

from filelock import lock_descriptor

POLL_SECONDS = 0.1
"""Interval between two attempts to take a lock."""


def open_lock(path: Path) -> TextIO:
    """The open lock file at ``path``, not locked yet; it and its directory are private to this user. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(path, "a+", opener=lambda name, flags: os.open(name, flags, 0o600))


def take_lock(lock: TextIO) -> bool:
    """True when this process has taken the lock, which it holds until the file is closed; False when another has it."""
    return lock_descriptor(lock.fileno(), blocking=False)


def wait_for_lock(lock: TextIO, *, timeout_s: float) -> bool:
    """Waits for the lock; True when this process has it, False after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not take_lock(lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
