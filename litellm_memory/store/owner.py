"""The owner process of the embedded mode: the only process that opens a data directory's Chroma; it serves the workers.

Workers start it (`python -m litellm_memory.store.owner --data-dir ...`) and it outlives them; it exits some seconds
after the last one has left. Why it exists: Chroma loses data when two processes open one directory, and holds the GIL
for the whole of a write.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from litellm_memory.errors import StoreError
from litellm_memory.store import frames
from litellm_memory.store.address import (
    OwnerRecord,
    aside_path,
    failure_path,
    log_path,
    make_private,
    owned,
    put_aside,
    scrub_path,
    socket_path,
    unfilled_path,
)
from litellm_memory.store.collections import WRITE_SECONDS, Collections
from litellm_memory.store.integrity import damaged_indexes
from litellm_memory.store.vacuum import vacuum

log = logging.getLogger("litellm_memory.store.owner")

OPERATIONS = frozenset(
    {"describe", "create", "names", "count", "get", "nearest", "upsert", "update", "delete", "scrub"}
    | {"mark", "drop", "ids", "containing"}
)
"""The calls that a worker may make."""


class Owner:
    """Answers the requests of every connected worker until it is stopped or all have left.

    To scrub, it empties what only Chroma can empty and exits; the next owner vacuums the files before it opens them. A
    fresh process is needed because Chroma writes stale RAM into the unused space of its index files.
    """

    def __init__(self, collections: Collections, scrub_mark: Path, *, idle_seconds: float) -> None:
        self._collections = collections
        self._scrub_mark = scrub_mark
        self._idle_seconds = idle_seconds
        self._stopping = asyncio.Event()
        self._workers: set[asyncio.StreamWriter] = set()
        self._answers: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.TimerHandle | None = None

    async def serve(self, path: Path) -> None:
        """Listens on ``path``; returns after ``stop`` or when idle, once all received requests are answered."""
        server = await asyncio.start_unix_server(self._serve_worker, path)
        self._rest()
        try:
            await self._stopping.wait()
        finally:
            server.close()
            if self._answers:
                await asyncio.wait(self._answers, timeout=WRITE_SECONDS)
            for worker in self._workers:
                worker.close()

    def stop(self) -> None:
        """Makes ``serve`` return."""
        self._stopping.set()

    def _rest(self) -> None:
        if not self._workers:
            self._leaving = asyncio.get_running_loop().call_later(self._idle_seconds, self.stop)

    async def _serve_worker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._workers.add(writer)
        if self._leaving is not None:
            self._leaving.cancel()
        try:
            writer.write(frames.pack({"version": frames.VERSION}))
            while (request := await frames.receive(reader)) is not None:
                answer = asyncio.create_task(self._answer(request, writer))
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)
        except ValueError as error:
            log.warning("A worker sent %s; its connection is closed.", error)
        finally:
            writer.close()
            self._workers.discard(writer)
            self._rest()

    async def _answer(self, request: frames.Message, writer: asyncio.StreamWriter) -> None:
        operation = request.get("operation")
        try:
            if operation not in OPERATIONS:
                raise StoreError(f"The owner process does not know {operation!r}: restart the proxy.")
            value = await getattr(self._collections, operation)(*request["arguments"], **request["named"])
            if operation == "scrub":
                self._scrub_mark.touch()
                self.stop()
            answer = {"id": request.get("id"), "value": value}
        except Exception as error:  # The worker waits for whatever it was at the other end of the socket.
            sentence = str(error) if isinstance(error, StoreError) else f"The owner failed: {type(error).__name__}."
            log.warning("%s: %s", operation, sentence)
            answer = {"id": request.get("id"), "error": sentence}
        # A worker that has disconnected needs no answer.
        with suppress(ConnectionError):
            writer.write(frames.pack(answer))
            await writer.drain()


async def serve_directory(
    data_dir: Path, record: OwnerRecord, unfilled: Mapping[str, int], *, idle_seconds: float
) -> None:
    """Opens the directory's Chroma and serves it until stopped or idle. Raises StoreError when it cannot be opened."""
    # Imported here, so that a process that loses the race for the lock costs little.
    from litellm_memory.store.chroma import open_directory
    from litellm_memory.store.rebuilding import fill_index

    collections = await open_directory(data_dir / "chroma")
    owner = Owner(collections, scrub_path(data_dir), idle_seconds=idle_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, owner.stop)
    try:
        for name, dimension in unfilled.items():
            await fill_index(collections, name, dimension)
        unfilled_path(data_dir).unlink(missing_ok=True)
        await owner.serve(Path(record.socket))
    finally:
        await collections.aclose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs an owner; returns the exit code: 0 at a regular end, and when another process owns the directory already.

    1 when Chroma cannot be opened or served (the log says why); EX_CANTCREAT when the directory is not writable.
    """
    parser = argparse.ArgumentParser(prog="litellm_memory.store.owner", description="Own and serve an embedded Chroma.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="leave this long after the last worker")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    data_dir: Path = options.data_dir.resolve()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _log_to(log_path(data_dir))
        with owned(data_dir) as record:
            return 0 if record is None else _own(data_dir, record, options.idle_seconds)
    except OSError:
        return os.EX_CANTCREAT


def _own(data_dir: Path, record: OwnerRecord, idle_seconds: float) -> int:
    try:
        _shut_out_others(data_dir)
        if socket_path(data_dir).parent != data_dir:
            make_private(socket_path(data_dir).parent)
        # Chroma's import reads a .env of the working directory.
        os.chdir(data_dir)
        log.info("Process %d on %s owns the directory.", record.pid, record.host)
        unfilled = _put_damaged_aside(data_dir)
        _scrub(data_dir)
        failure_path(data_dir).unlink(missing_ok=True)
        asyncio.run(serve_directory(data_dir, record, unfilled, idle_seconds=idle_seconds))
    except (StoreError, OSError) as error:
        log.error("%s", error)
        with suppress(OSError):
            failure_path(data_dir).write_text(str(error), encoding="utf-8")
        return 1
    finally:
        with suppress(OSError):
            Path(record.socket).unlink()
    log.info("Process %d leaves.", record.pid)
    return 0


def _put_damaged_aside(data_dir: Path) -> dict[str, int]:
    """Moves damaged indexes aside; returns the collections whose index has to be rebuilt, with their dimensions.

    Includes those that the previous owner did not finish. Raises StoreError for a damaged database.
    """
    mark = unfilled_path(data_dir)
    unfilled: dict[str, int] = json.loads(mark.read_text()) if mark.exists() else {}
    damaged = damaged_indexes(data_dir / "chroma")
    if damaged:
        unfilled |= {index.collection: index.dimension for index in damaged}
        mark.write_text(json.dumps(unfilled))
    for index in damaged:
        log.warning("An index was damaged (%s) and is made anew; vectors follow as memories are used.", index.wrong)
        put_aside(index.directory, aside_path(data_dir))
    return unfilled


def _scrub(data_dir: Path) -> None:
    """Vacuums the files if the previous owner left that to do; on failure memory keeps working and the flag file
    stays."""
    mark = scrub_path(data_dir)
    if mark.exists():
        try:
            vacuum(data_dir / "chroma")
            mark.unlink()
        except (sqlite3.Error, OSError) as error:
            log.warning("The files cannot be written anew (%s).", type(error).__name__)


def _shut_out_others(data_dir: Path) -> None:
    try:
        data_dir.chmod(0o700)
    except PermissionError:
        # A mounted volume, for example; the files inside are made for this user alone anyway.
        log.warning("%s belongs to another user, so its permissions stay as they are.", data_dir)


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=1_000_000, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
