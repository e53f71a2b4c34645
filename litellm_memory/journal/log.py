"""An append-only log in one directory: every process of a host appends records, and all see them in the same order.

A record is one line: a letter for its kind, then JSON. The log is a series of numbered segments, of which the newest is
appended to. Appending costs some microseconds and waits for nothing: what was written survives the end of its process,
however that comes, because it is in the kernel's hands.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

try:
    import fcntl
except ImportError:  # On Windows one process serves, which excludes itself.
    fcntl = None  # type: ignore[assignment]

Record: TypeAlias = tuple[str, dict[str, Any]]
"""Its kind, a single letter, and its fields."""

READ_BYTES: Final = 4 * 1024 * 1024
"""How much is read at a time."""
SUFFIX: Final = ".log"
OPEN, CLOSED = 0o600, 0o400
"""The permissions of a segment, and of one to which nothing is appended any more."""
PARTLY: Final = "a record was written in part"
_BINARY: Final = getattr(os, "O_BINARY", 0)


class Position(NamedTuple):
    """The number of a segment, and an offset in it."""

    segment: int = 0
    offset: int = 0


class Log:
    """The log in ``directory``, which is made on first use. Not thread-safe. Every failure is an OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._segment = 0
        self._descriptor: int | None = None
        self._reading: tuple[int, int] | None = None
        """The segment that is read, and its descriptor."""

    @property
    def id(self) -> str:
        """A random name, which tells this log from any other. Made on first use."""
        path = self._directory / "id"
        if not path.exists():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = self._directory / f"id-{secrets.token_hex(8)}"
            made.write_text(secrets.token_hex(16), encoding="ascii")
            # A link, so that nobody reads a file that is not written yet.
            with suppress(FileExistsError):
                path.hardlink_to(made)
            made.unlink()
        return path.read_text(encoding="ascii")

    def append(self, *records: Record) -> None:
        """Appends these records; when this returns, no end of this process can lose them."""
        lines = b"".join(map(line_of, records))
        # One that lacks its line break alone gets it from the next.
        if self.write(lines) < len(lines) - 1:
            raise OSError(PARTLY)

    def write(self, lines: bytes) -> int:
        """Appends lines that ``line_of`` made; returns how many bytes of them, fewer on a full disk."""
        with self._locked(exclusive=False) as descriptor:
            return os.write(descriptor, lines)

    def read(self, position: Position, kinds: bytes, most: int | None = None) -> tuple[list[Record], Position]:
        """The records of these kinds behind ``position``, about ``most`` bytes of them or READ_BYTES, and the position
        behind them.

        Segments that were dropped meanwhile are passed over, and so are lines that hold no record.
        """
        while True:
            # In this order: nothing is appended to a segment that is closed.
            following = self._following(position.segment)
            content = self._read(position, most or READ_BYTES)
            if content or following is None:
                break
            position = Position(following)
        return list(_records(content, kinds)), position._replace(offset=position.offset + len(content))

    def segments(self) -> list[int]:
        """The numbers of the segments, oldest first; none when nothing was ever appended."""
        try:
            return sorted(int(path.stem) for path in self._directory.glob(f"*{SUFFIX}"))
        except ValueError:
            raise OSError(f"{self._directory} holds files that are not ours") from None

    def is_empty(self) -> bool:
        """True when no segment holds anything, taken over or not; looks at their sizes only."""
        with suppress(FileNotFoundError), os.scandir(self._directory) as files:
            return not any(file.name.endswith(SUFFIX) and file.stat().st_size for file in files)
        return True

    def end(self) -> Position:
        """The position behind all that was appended."""
        newest = max(self.segments(), default=0)
        status = _status_of(self._path(newest))
        return Position(newest, status.st_size if status else 0)

    def rotate(self) -> None:
        """Closes the newest segment and begins another, unless nothing is in it."""
        with self._locked(exclusive=True) as descriptor:
            if os.fstat(descriptor).st_size:
                self._path(self._segment).chmod(CLOSED)
                os.close(self._made(self._segment + 1))

    def drop_before(self, segment: int) -> None:
        """Deletes all segments older than this one; the newest always stays."""
        for old in self.segments()[:-1]:
            if old < segment:
                # Windows deletes no file that is read-only, or open: it goes the next time. Elsewhere a segment stays
                # closed to the end, for those who have it open.
                with suppress(PermissionError, FileNotFoundError):
                    if fcntl is None:
                        self._path(old).chmod(OPEN)
                    self._path(old).unlink()

    def close(self) -> None:
        """Closes the files; the next record opens them again."""
        self._close_appending()
        self._close_reading()

    def _close_appending(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _close_reading(self) -> None:
        if self._reading is not None:
            os.close(self._reading[1])
            self._reading = None

    @contextmanager
    def _locked(self, *, exclusive: bool) -> Iterator[int]:
        """The newest segment, open for appending. Nobody begins another meanwhile, nor appends if ``exclusive``."""
        while True:
            descriptor = self._opened()
            _lock(descriptor, exclusive=exclusive)
            try:
                if _is_open(os.fstat(descriptor)):
                    yield descriptor
                    return
            finally:
                _unlock(descriptor)
            self._close_appending()

    def _opened(self) -> int:
        if self._descriptor is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            newest = max(self.segments(), default=1)
            status = _status_of(self._path(newest))
            self._segment = newest if status is None or _is_open(status) else newest + 1
            self._descriptor = self._made(self._segment)
        return self._descriptor

    def _made(self, segment: int) -> int:
        return os.open(self._path(segment), os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, OPEN)

    def _path(self, segment: int) -> Path:
        return self._directory / f"{segment:010}{SUFFIX}"

    def _read(self, position: Position, size: int) -> bytes:
        """Whole lines behind ``position`` in its segment, about ``size`` bytes of them, or one that is longer.

        Empty when there are none yet.
        """
        descriptor = self._opened_to_read(position.segment)
        if descriptor is None or (rest := os.fstat(descriptor).st_size - position.offset) <= 0:
            return b""
        content = b""
        while b"\n" not in content and len(content) < rest:
            os.lseek(descriptor, position.offset, os.SEEK_SET)
            content = os.read(descriptor, size)
            size *= 2
        return content[: content.rfind(b"\n") + 1]

    def _opened_to_read(self, segment: int) -> int | None:
        if self._reading is None or self._reading[0] != segment:
            self._close_reading()
            try:
                self._reading = segment, os.open(self._path(segment), os.O_RDONLY | _BINARY)
            except FileNotFoundError:
                return None
        return self._reading[1]

    def _following(self, segment: int) -> int | None:
        """The oldest segment after this one, once this one is closed or dropped; else None."""
        descriptor = self._opened_to_read(segment)
        if descriptor is not None and _is_open(os.fstat(descriptor)):
            return None
        return min((number for number in self.segments() if number > segment), default=None)


def line_of(record: Record) -> bytes:
    kind, row = record
    try:
        told = orjson.dumps(row)
    except TypeError:
        # JSON may carry a lone surrogate or a number of any size, which orjson refuses.
        told = json.dumps(row, ensure_ascii=False, default=datetime.isoformat).encode("utf-8", "replace")
    # The line break before a record ends what another process may have written in part.
    return b"\n%s%s\n" % (kind.encode(), told)


def _records(content: bytes, kinds: bytes) -> Iterator[Record]:
    for line in content.split(b"\n"):
        if line[:1] and line[:1] in kinds:
            try:
                yield chr(line[0]), orjson.loads(line[1:])
            except orjson.JSONDecodeError:
                continue  # Written in part, by a process whose disk was full.


def _status_of(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _is_open(status: os.stat_result) -> bool:
    """True for a segment to which records may be appended: neither closed nor deleted."""
    return bool(status.st_nlink and status.st_mode & 0o200)


def _lock(descriptor: int, *, exclusive: bool) -> None:
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)


def _unlock(descriptor: int) -> None:
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
