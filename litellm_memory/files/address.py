"""How to find the owner process of a data directory: its lock file, what that records, and the path of its socket."""

from __future__ import annotations

import json
import os
import re
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


def why_ended(data_dir: Path, exit_code: int) -> str:
    """Why an owner ended with this exit code, as a sentence."""
    if exit_code == os.EX_CANTCREAT:
        return f"{data_dir} cannot be written or locked: see its permissions, its file system and the free space."
    try:
        return failure_path(data_dir).read_text(encoding="utf-8")
    except OSError:
        return f"The memory store does not open: {log_path(data_dir)} says why."


def failed_since(data_dir: Path, began: float) -> str | None:
    """Why an owner that another process started has failed since then; None when none has."""
    path = failure_path(data_dir)
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_mtime >= began else None
    except OSError:
        return None


def why_silent(data_dir: Path, record: OwnerRecord | None) -> str:
    """Why nobody answers in a data directory, as a sentence."""
    if record is None:
        return f"The memory store did not open in time: {log_path(data_dir)} may say why."
    if not record.here:
        return (
            f"{data_dir} is in use by process {record.pid} on host {record.host}: one data directory serves one host; "
            "give this host its own, or use store.mode server."
        )
    return (
        f"Process {record.pid} owns {data_dir} and does not answer: end that process, and the next call starts another."
    )


_PATH = re.compile(r"(?<![\w.:/])(?P<top>/[^\s/'\":;,()]+)/[^\s'\":;,()]*[^\s'\":;,().]")


def without_paths(sentence: str, data_dir: Path) -> str:
    """A sentence for operators as others may read it: of a path of this host the last name alone.

    The log of the proxy has the whole path.
    """
    for path in (data_dir.resolve(), data_dir.absolute(), data_dir):
        sentence = sentence.replace(str(path), "data_dir") if len(str(path)) > 1 else sentence
    return _PATH.sub(lambda path: Path(path[0]).name if Path(path["top"]).exists() else path[0], sentence)
