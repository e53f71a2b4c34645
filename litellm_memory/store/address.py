"""How to find the owner process of a data directory: its lock file, what that records, and the path of its socket."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from litellm_memory.errors import StoreError
from litellm_memory.files.locks import take_lock

SOCKET_PATH_BYTES = 100
"""Longest path of a Unix socket: the kernel takes 104 bytes (macOS) or 108 (Linux), including the terminating zero."""


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """The process that holds, or last held, the lock of a data directory, and the socket that it listens on."""

    pid: int
    host: str
    socket: str

    @property
    def here(self) -> bool:
        """True for a process of this host."""
        return self.host == socket.gethostname()


def lock_path(data_dir: Path) -> Path:
    """The file that the owner keeps locked for as long as it lives."""
    return data_dir / "owner.lock"


def log_path(data_dir: Path) -> Path:
    """The file that says why an owner stopped or did not start."""
    return data_dir / "owner.log"


def failure_path(data_dir: Path) -> Path:
    """The file with one sentence on why the last owner could not open the store; it does not exist when that owner
    could."""
    return data_dir / "owner.failure"


def aside_path(data_dir: Path) -> Path:
    """The directory that keeps copies and damaged files."""
    return data_dir / "aside"


def unfilled_path(data_dir: Path) -> Path:
    """A JSON file that names the collections whose index is being rebuilt; it exists until all are done."""
    return data_dir / "owner.unfilled"


def scrub_path(data_dir: Path) -> Path:
    """A flag file: while it exists, the next owner has to vacuum Chroma's files before it opens them."""
    return data_dir / "owner.scrub"


def socket_path(data_dir: Path) -> Path:
    """The owner's socket: in the data directory, or in a private temporary directory when that path is too long."""
    path = data_dir / "owner.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"litellm-memory-{os.getuid()}-{digest}" / "owner.sock"


def put_aside(path: Path, aside: Path) -> Path | None:
    """The new path of ``path``, moved into ``aside`` with a timestamp in its name; None when there is nothing to
    move."""
    if not path.exists():
        return None
    aside.mkdir(mode=0o700, exist_ok=True)
    return path.rename(aside / f"{path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}{path.suffix}")


def make_private(directory: Path) -> None:
    """Makes a directory that only its owner may enter. Raises StoreError when it is another user's or open to
    others."""
    directory.mkdir(mode=0o700, exist_ok=True)
    if not is_private(directory):
        raise StoreError(f"{directory} is open to other users of this host: remove it.")


def is_private(directory: Path) -> bool:
    """True for a real directory of this user that no other user may enter."""
    try:
        status = directory.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077


@contextmanager
def owned(data_dir: Path) -> Iterator[OwnerRecord | None]:
    """Holds the lock of the data directory for this process and records that; None when another process holds it."""
    with lock_path(data_dir).open("a+") as lock:
        if not take_lock(lock):
            yield None
            return
        record = OwnerRecord(os.getpid(), socket.gethostname(), str(socket_path(data_dir)))
        _write(lock.fileno(), json.dumps(asdict(record)))
        try:
            yield record
        finally:
            _write(lock.fileno(), "")


def _write(lock: int, text: str) -> None:
    os.ftruncate(lock, 0)
    os.write(lock, text.encode())


def read_record(data_dir: Path) -> OwnerRecord | None:
    """What the lock file says; None when no process has claimed the directory, or one is just claiming it.

    Raises StoreError when the file belongs to another user.
    """
    try:
        return OwnerRecord(**json.loads(lock_path(data_dir).read_text()))
    except PermissionError:
        raise StoreError(
            f"{lock_path(data_dir)} belongs to another user: run everything on {data_dir} as one."
        ) from None
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
