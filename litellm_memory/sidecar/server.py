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

RETRY_SECONDS = 2.0
"""Pause before the lock or a taken port is tried again."""


async def serve(app: FastAPI, engine: Engine) -> None:
    """Serves until cancelled. A taken port is logged and retried; it never stops the proxy."""
    sidecar = engine.settings.sidecar
    with _lock_file(engine.settings.data_dir / "sidecar.lock") as lock:
        while True:
            if lock is None or take_lock(lock):
                try:
                    listening = _listen(sidecar.host, sidecar.port)
                except OSError as error:
                    _say(engine, f"The sidecar cannot listen on {sidecar.host}:{sidecar.port}: {error.strerror}.")
                else:
                    engine.health.sidecar = None
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


def _listen(host: str, port: int) -> socket.socket:
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


def _say(engine: Engine, sentence: str) -> None:
    if engine.health.sidecar != sentence:
        logger.warning("%s", sentence)
    engine.health.sidecar = sentence
