"""The worker's side of the embedded mode: collections over the owner's socket, and starting an owner when none runs."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, cast

from litellm_memory.errors import StoreError
from litellm_memory.store import frames
from litellm_memory.store.address import OwnerRecord, failure_path, is_private, log_path, read_record, scrub_path
from litellm_memory.store.collections import READ_SECONDS, SCRUB_SECONDS, WRITE_SECONDS, Metadata, Rows, Vectors

OPEN_SECONDS = 30.0
"""Timeout for reaching or starting an owner: a large store takes seconds to open."""
IDLE_SECONDS = 10.0
"""How long a started owner outlives its last worker: long enough for a proxy that restarts."""

POLL_SECONDS = 0.02
"""Interval between two checks for the socket of an owner that is starting."""
START_SECONDS = 1.0
"""When a started owner loses the race for the lock, another is started only after this long: the winner may be slow."""
PAUSE_SECONDS = 5.0
"""Backoff after a failed opening: calls fail at once for this long, so that a broken directory does not burn CPU."""

_GONE = "The owner process of the memory store has ended: the next call starts another."


class OwnerCollections:
    """The collections of ``data_dir`` through its owner process, which is started when there is none."""

    def __init__(
        self, data_dir: Path, *, open_seconds: float = OPEN_SECONDS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._open_seconds = open_seconds
        self._idle_seconds = idle_seconds
        self._opening: asyncio.Task[Connection] | None = None
        self._closed_until = 0.0

    async def describe(self, name: str) -> Metadata | None:
        return cast(Metadata | None, await self._ask(READ_SECONDS, "describe", name))

    async def create(self, name: str, metadata: Metadata) -> None:
        await self._ask(WRITE_SECONDS, "create", name, metadata)

    async def names(self, prefix: str) -> list[str]:
        return cast(list[str], await self._ask(READ_SECONDS, "names", prefix))

    async def mark(self, name: str, metadata: Metadata) -> None:
        await self._ask(WRITE_SECONDS, "mark", name, metadata)

    async def drop(self, name: str) -> None:
        await self._ask(WRITE_SECONDS, "drop", name)

    async def ids(self, name: str, where: Metadata | None, *, limit: int, offset: int) -> list[str]:
        return cast(list[str], await self._ask(READ_SECONDS, "ids", name, where, limit=limit, offset=offset))

    async def count(self, name: str) -> int:
        return cast(int, await self._ask(READ_SECONDS, "count", name))

    async def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> Rows:
        return cast(Rows, await self._ask(READ_SECONDS, "get", name, ids, vectors=vectors))

    async def nearest(self, name: str, where: Metadata | None, vector: Vectors, *, limit: int) -> Rows:
        return cast(Rows, await self._ask(READ_SECONDS, "nearest", name, where, vector, limit=limit))

    async def containing(self, name: str, where: Metadata | None, texts: Sequence[str], *, limit: int) -> Rows:
        return cast(Rows, await self._ask(READ_SECONDS, "containing", name, where, texts, limit=limit))

    async def upsert(self, name: str, rows: Rows) -> None:
        await self._ask(WRITE_SECONDS, "upsert", name, rows)

    async def update(
        self,
        name: str,
        ids: Sequence[str],
        metadatas: Sequence[Metadata],
        *,
        documents: Sequence[str] | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        await self._ask(WRITE_SECONDS, "update", name, ids, metadatas, documents=documents, vectors=vectors)

    async def delete(self, name: str, ids: Sequence[str]) -> None:
        await self._ask(WRITE_SECONDS, "delete", name, ids)

    async def scrub(self, prefix: str) -> None:
        connection = await self._connected()
        await connection.ask(SCRUB_SECONDS, "scrub", prefix)
        await connection.ended()
        deadline = _now() + SCRUB_SECONDS
        while True:
            try:
                # The next owner answers this, after it has vacuumed the files.
                await self.names(prefix)
                break
            except StoreError:
                if _now() > deadline:
                    raise
                await asyncio.sleep(START_SECONDS)
        if scrub_path(self._data_dir).exists():
            raise StoreError(
                f"{self._data_dir / 'chroma'} cannot be written anew: see its permissions and the free space; "
                f"{log_path(self._data_dir)} says more."
            )

    async def aclose(self) -> None:
        opening, self._opening = self._opening, None
        if opening is None:
            return
        opening.cancel()
        with suppress(asyncio.CancelledError, StoreError):
            await (await opening).aclose()

    async def _ask(self, seconds: float, operation: str, *arguments: object, **named: object) -> object:
        connection = await self._connected()
        return await connection.ask(seconds, operation, *arguments, **named)

    async def _connected(self) -> Connection:
        """The connection, or a new one; all callers share one attempt, and a caller that gives up does not cancel
        it."""
        if self._opening is None or _is_over(self._opening, paused=_now() < self._closed_until):
            self._opening = asyncio.create_task(self._open())
            # Retrieve the exception even when no caller waits any more: asyncio would log it as never retrieved.
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Connection:
        """A connection to the owner; starts one when none listens. Raises StoreError when that does not help."""
        try:
            async with asyncio.timeout(self._open_seconds):
                return await self._find_or_start()
        except TimeoutError:
            self._closed_until = _now() + PAUSE_SECONDS
            raise StoreError(_why_silent(self._data_dir, read_record(self._data_dir))) from None
        except OSError as error:
            self._closed_until = _now() + PAUSE_SECONDS
            raise StoreError(f"The owner process of the memory store cannot be started: {error.strerror}.") from None
        except StoreError:
            self._closed_until = _now() + PAUSE_SECONDS
            raise

    async def _find_or_start(self) -> Connection:
        starter: subprocess.Popen[bytes] | None = None
        next_start = 0.0
        while True:
            if (connection := await _connect(self._data_dir)) is not None:
                return connection
            outcome = starter.poll() if starter else 0
            if outcome:
                raise StoreError(_why_ended(self._data_dir, outcome))
            if outcome == 0 and _now() >= next_start:
                starter = await asyncio.to_thread(start_owner, self._data_dir, idle_seconds=self._idle_seconds)
                next_start = _now() + START_SECONDS
            await asyncio.sleep(POLL_SECONDS)


class Connection:
    """One connection to an owner; any number of requests may be in flight."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[object]] = {}
        self._listening = asyncio.create_task(self._listen(reader))

    @property
    def gone(self) -> bool:
        """True when the owner has closed the connection."""
        return self._listening.done()

    async def ended(self) -> None:
        """Returns when the owner has closed the connection."""
        await asyncio.wait([self._listening])

    async def ask(self, seconds: float, operation: str, *arguments: object, **named: object) -> object:
        """The owner's answer within ``seconds``. Raises StoreError when it fails, times out or the owner ends."""
        number = next(self._numbers)
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        request = {"id": number, "operation": operation, "arguments": arguments, "named": named}
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(frames.pack(request))
                await self._writer.drain()
                return await answer
        except TimeoutError:
            raise StoreError(
                f"The memory store did not answer within {seconds:g} s: see whether the disk or the host is busy."
            ) from None
        except ConnectionError:
            raise StoreError(_GONE) from None
        finally:
            del self._waiting[number]

    async def aclose(self) -> None:
        """Closes the connection."""
        self._writer.close()
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while (message := await frames.receive(reader)) is not None:
                if (answer := self._waiting.get(message["id"])) is not None and not answer.done():
                    _settle(answer, message)
        finally:
            self._writer.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(StoreError(_GONE))


def start_owner(data_dir: Path, *, idle_seconds: float) -> subprocess.Popen[bytes]:
    """A new owner process for ``data_dir``; it inherits nothing and outlives this process."""
    arguments = ("--data-dir", str(data_dir), "--idle-seconds", str(idle_seconds))
    # Not through asyncio, which kills its child processes when the loop closes.
    process = subprocess.Popen(
        [sys.executable, "-m", "litellm_memory.store.owner", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, name="memory-owner-reaper", daemon=True).start()
    return process


async def _connect(data_dir: Path) -> Connection | None:
    """A connection to the owner that the lock file names, or None when none listens there."""
    record = await asyncio.to_thread(read_record, data_dir)
    if record is None:
        return None
    path = Path(record.socket)
    if path.parent != data_dir and not await asyncio.to_thread(is_private, path.parent):
        return None
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionError):
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}; all workers run as one user.") from None
    return await _greeted(reader, writer)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection | None:
    with ExitStack() as unless_greeted:
        unless_greeted.callback(writer.close)
        greeting = await frames.receive(reader)
        if greeting is not None and greeting.get("version") == frames.VERSION:
            unless_greeted.pop_all()
            return Connection(reader, writer)
    if greeting is None:
        return None
    raise StoreError("Another version of litellm-memory owns the memory store: end all workers, then start them.")


def _settle(answer: asyncio.Future[object], message: dict[str, Any]) -> None:
    if "error" in message:
        answer.set_exception(StoreError(message["error"]))
    else:
        answer.set_result(message["value"])


def _is_over(opening: asyncio.Task[Connection], *, paused: bool) -> bool:
    """True when this attempt is useless now: it failed longer ago than the backoff, or its connection is closed."""
    if not opening.done():
        return False
    if opening.cancelled():
        return True
    return not paused if opening.exception() else opening.result().gone


def _why_ended(data_dir: Path, exit_code: int) -> str:
    if exit_code == os.EX_CANTCREAT:
        return f"{data_dir} cannot be written or locked: see its permissions, its file system and the free space."
    try:
        return failure_path(data_dir).read_text(encoding="utf-8")
    except OSError:
        return f"The memory store does not open: {log_path(data_dir)} says why."


def _why_silent(data_dir: Path, record: OwnerRecord | None) -> str:
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
