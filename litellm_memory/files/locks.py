"""Locks between the processes of a host: a file that one process at a time holds, and lets go of when it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO


def open_lock(path: Path) -> TextIO:
    """The lock file at ``path``, made for this user alone, as its directory is; not held yet. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(path, "a", opener=lambda name, flags: os.open(name, flags, 0o600))


def take_lock(lock: TextIO) -> bool:
    """True when this process holds the file from now until it is closed; False at once when another one does."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
