"""Runs the sidecar in one worker of a host: the one with the lock; when it ends, another takes over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import uvicorn
from fastapi import FastAPI

from litellm_memory.engine import Engine
from litellm_memory.files.locks import open_lock, take_lock

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
"""How often the date in the answers' headers is renewed, which counts in seconds."""
RETRY_SECONDS = 2.0
"""Pause before the lock or a taken port is tried again."""


async def serve(app: FastAPI, engine: Engine) -> None:
    """Serves until cancelled. A taken port is logged and retried; it never stops the proxy.

    Where the app has the page, what its first view needs is prepared in the background.
    """
    sidecar = engine.settings.sidecar
    with _lock_file(engine.settings.data_dir / "sidecar.lock") as lock:
        while True:
            if lock is not None and not take_lock(lock):
                _say_whose(engine, lock)
            else:
                try:
                    listening = listening_at(sidecar.host, sidecar.port)
                except OSError as error:
                    _say(engine, f"The sidecar cannot listen on {sidecar.host}:{sidecar.port}: {error.strerror}.")
                else:
                    engine.health.sidecar = None
                    _sign(lock, listening)
                    if prepare := getattr(app.state, "prepare_page", None):
                        engine.spawn(prepare())
                    await _run(app, listening)
                    return
            await asyncio.sleep(RETRY_SECONDS)


async def _run(app: FastAPI, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    logger.info("The sidecar listens on %s:%s.", host, port)
    server = _Server(
        uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    )
    try:
        await server.serve(sockets=[listening])
    finally:
        listening.close()


class _Server(uvicorn.Server):
    """A server inside another process, which handles the signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signal handlers as they are."""
        yield

    async def main_loop(self) -> None:
        """As uvicorn's own, which looks ten times a second: a proxy at rest spends most of its time on that."""
        while True:
            if await self.on_tick(0):
                return
            await asyncio.sleep(TICK_SECONDS)


def listening_at(host: str, port: int) -> socket.socket:
    """A socket that is bound there. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def _lock_file(path: Path) -> contextlib.AbstractContextManager[TextIO | None]:
    """None where no file can be created: then the process that gets the port serves, and `/ready` can say what is
    wrong."""
    try:
        return open_lock(path)
    except OSError:
        return contextlib.nullcontext()


def _sign(lock: TextIO | None, listening: socket.socket) -> None:
    """Writes into the lock where its holder serves, for other proxies on this data directory."""
    if lock is not None:
        lock.seek(0)
        lock.truncate()
        lock.write(":".join(map(str, listening.getsockname()[:2])))
        lock.flush()


def _say_whose(engine: Engine, lock: TextIO) -> None:
    """Another process serves this data directory: a worker of this proxy, or, at another port, another proxy."""
    lock.seek(0)
    served = lock.read(100).strip()
    wanted = engine.settings.sidecar
    if served and wanted.port and not served.endswith(f":{wanted.port}"):
        _say(
            engine,
            f"The sidecar of this data_dir serves at {served}, for another proxy, so this one starts none at "
            f"{wanted.host}:{wanted.port}: use that address, or give each proxy a data_dir of its own.",
        )
    else:
        engine.health.sidecar = None


def _say(engine: Engine, sentence: str) -> None:
    if engine.health.sidecar != sentence:
        logger.warning("%s", sentence)
    engine.health.sidecar = sentence
