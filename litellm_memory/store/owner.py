"""The owner process of the embedded mode: the only process that opens a data directory's Chroma; it serves the workers.

Workers start it (`python -m litellm_memory.keeper --data-dir ...`) and it outlives them; it exits some seconds
after the last one has left. Why it exists: Chroma loses data when two processes open one directory, and holds the GIL
for the whole of a write.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from litellm_memory.errors import LiteLLMMemoryError, StoreError
from litellm_memory.files.address import (
    OwnerRecord,
    failure_path,
    log_path,
    make_private,
    owned,
    scrub_path,
    socket_path,
    unfilled_path,
)
from litellm_memory.files.preparing import put_damaged_aside, scrub, shut_out_others
from litellm_memory.store import frames
from litellm_memory.store.collections import WRITE_SECONDS, Collections
from litellm_memory.store.layout import COLLECTIONS
from litellm_memory.store.peer import Peer, Service

log = logging.getLogger("litellm_memory.store.owner")

OPERATIONS = frozenset(
    {"describe", "create", "names", "count", "get", "nearest", "upsert", "update", "delete", "scrub"}
    | {"mark", "drop", "ids", "containing"}
)
"""The calls that a worker may make."""

SOL_LOCAL, LOCAL_PEERPID = 0, 2
"""From macOS's sys/un.h; Python does not name them."""


class Options(argparse.Namespace):
    """What an owner is told on its command line."""

    data_dir: Path
    idle_seconds: float
    without_store: bool


class Owner:
    """Answers the requests of every connected worker until it is stopped or all have left.

    To scrub, it empties what only Chroma can empty and exits; the next owner vacuums the files before it opens them. A
    fresh process is needed because Chroma writes stale RAM into the unused space of its index files.
    """

    def __init__(
        self, collections: Collections | None, scrub_mark: Path, *, idle_seconds: float, service: Service | None = None
    ) -> None:
        self._collections = collections
        self._scrub_mark = scrub_mark
        self._idle_seconds = idle_seconds
        self._service = service
        self._stopping = asyncio.Event()
        self._workers: set[Peer] = set()
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
        peer = Peer(writer)
        if _process_behind(writer) != os.getpid():
            self._arrive(peer)
        try:
            await peer.send({"version": frames.VERSION})
            while (request := await frames.receive(reader)) is not None:
                if "answers" in request:
                    peer.settle(request)
                    continue
                answer = asyncio.create_task(self._answer(request, peer))
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)
        except ValueError as error:
            log.warning("A worker sent %s; its connection is closed.", error)
        finally:
            peer.close()
            self._leave(peer)

    def _arrive(self, peer: Peer) -> None:
        self._workers.add(peer)
        if self._leaving is not None:
            self._leaving.cancel()

    def _leave(self, peer: Peer) -> None:
        if peer in self._workers:
            self._workers.discard(peer)
            self._rest()
        if self._service is not None:
            self._service.left(peer)

    async def _answer(self, request: frames.Message, peer: Peer) -> None:
        operation = request.get("operation")
        try:
            value = await self._done(operation, peer, request["arguments"], request["named"])
            if operation == "scrub":
                self._scrub_mark.touch()
                self.stop()
            answer = {"id": request.get("id"), "value": value}
        except Exception as error:  # The worker waits for whatever it was at the other end of the socket.
            told = isinstance(error, LiteLLMMemoryError)
            sentence = str(error) if told else f"The owner failed: {type(error).__name__}."
            log.warning("%s: %s", operation, sentence)
            answer = {"id": request.get("id"), "error": sentence}
        await peer.send(answer)

    async def _done(
        self, operation: object, peer: Peer, arguments: Sequence[object], named: dict[str, object]
    ) -> object:
        if self._service is not None and operation in self._service.answers:
            return await self._service.answers[str(operation)](peer, *arguments, **named)
        if operation not in OPERATIONS or self._collections is None:
            raise StoreError(f"The owner process does not know {operation!r}: restart the proxy.")
        return await getattr(self._collections, str(operation))(*arguments, **named)


def _process_behind(writer: asyncio.StreamWriter) -> int:
    """The process at the other end: the service's own connection must not keep the owner running."""
    connection = writer.get_extra_info("socket")
    if sys.platform == "darwin":
        return int(connection.getsockopt(SOL_LOCAL, LOCAL_PEERPID))
    return int(
        struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0]
    )


async def serve_directory(
    data_dir: Path, record: OwnerRecord, unfilled: Mapping[str, int], options: Options, service: Service | None
) -> None:
    """Opens the directory's Chroma and serves it until stopped or idle. Raises StoreError when it cannot be opened."""
    collections = await _opened(data_dir, options, unfilled)
    opening = asyncio.create_task(open_all(collections))
    owner = Owner(collections, scrub_path(data_dir), idle_seconds=options.idle_seconds, service=service)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, owner.stop)
    try:
        await owner.serve(Path(record.socket))
    finally:
        opening.cancel()
        if service is not None:
            await service.aclose()
        if collections is not None:
            await collections.aclose()


async def open_all(collections: Collections | None) -> None:
    """Lets Chroma open each collection before somebody waits for it: 0.3 s of processor time for 100,000 memories."""
    if collections is not None:
        with suppress(StoreError):
            for name in await collections.names(COLLECTIONS):
                await collections.get(name, ["nobody"], vectors=False)


async def _opened(data_dir: Path, options: Options, unfilled: Mapping[str, int]) -> Collections | None:
    if options.without_store:
        return None
    # Imported here, so that a process that loses the race for the lock costs little.
    from litellm_memory.store.chroma import open_directory
    from litellm_memory.store.rebuilding import fill_index

    collections = await open_directory(data_dir / "chroma")
    for name, dimension in unfilled.items():
        await fill_index(collections, name, dimension)
    unfilled_path(data_dir).unlink(missing_ok=True)
    return collections


def main(arguments: Sequence[str] | None = None, serve: Callable[[Path], Service] | None = None) -> int:
    """Runs an owner; returns the exit code: 0 at a regular end, and when another process owns the directory already.

    1 when Chroma cannot be opened or served (the log says why); EX_CANTCREAT when the directory is not writable.
    ``serve`` makes what it does besides, from the data directory.
    """
    parser = argparse.ArgumentParser(prog="litellm_memory.keeper", description="Own and serve a data directory.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="leave this long after the last worker")
    parser.add_argument("--without-store", action="store_true", help="the memories are in a server of Chroma's")
    options = parser.parse_args(arguments, Options())
    os.umask(0o077)
    data_dir: Path = options.data_dir.resolve()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _log_to(log_path(data_dir))
        with owned(data_dir) as record:
            return 0 if record is None else _own(data_dir, record, options, serve)
    except OSError:
        return os.EX_CANTCREAT


def _own(data_dir: Path, record: OwnerRecord, options: Options, serve: Callable[[Path], Service] | None) -> int:
    try:
        shut_out_others(data_dir, log)
        if socket_path(data_dir).parent != data_dir:
            make_private(socket_path(data_dir).parent)
        # Chroma's import reads a .env of the working directory.
        os.chdir(data_dir)
        log.info("Process %d on %s owns the directory.", record.pid, record.host)
        unfilled = {} if options.without_store else put_damaged_aside(data_dir, log)
        scrub(data_dir, log)
        failure_path(data_dir).unlink(missing_ok=True)
        asyncio.run(serve_directory(data_dir, record, unfilled, options, serve(data_dir) if serve else None))
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


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=1_000_000, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
