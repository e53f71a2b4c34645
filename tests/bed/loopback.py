"""A server on loopback that lives in a thread of this process: what stands in for a provider, or before a proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Loopback:
    """Answers whatever is asked by ``serve``, on a free port of its own. Use it as a context manager."""

    def __init__(self, serve: Callable[[Request], Awaitable[Response]]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        app = Starlette(routes=[Route("/{path:path}", serve, methods=METHODS)])
        # Without a limit a stream that a test left open would keep the server from ending.
        # A connection that is closed for idleness just when LiteLLM writes to it would be an error of no test.
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_level="critical", timeout_graceful_shutdown=1, timeout_keep_alive=3600
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="loopback", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, with no path."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
