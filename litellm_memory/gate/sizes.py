"""The size limit of a request to the sidecar: 413 before the body is read into RAM."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from starlette.exceptions import HTTPException

LARGEST_BODY: Final = 256 * 2**10
"""Bytes. A memory has at most 8,000 characters, of at most twelve bytes in JSON."""
LARGEST: Final = {"/v1/preview": 4 * 2**20, "/v1/import/conversations": 4 * 2**20, "/mcp": 128 * 2**10}
"""Bytes of a body on other routes: those that carry whole conversations, and tools, whose arguments the protocol's SDK
reads on the event loop."""
STREAMED = ("/v1/import", "/v1/convert")
"""Routes that stream their body line by line, each with a limit of its own."""

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class Sizes:
    """An ASGI middleware. A body without a length is counted as it arrives."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes on a request whose body is small enough."""
        # The page asks the same routes under ``/api``.
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")).removeprefix("/api")
        if scope["type"] != "http" or path in STREAMED:
            await self._app(scope, receive, send)
            return
        read, most = 0, LARGEST.get(path.rstrip("/"), LARGEST_BODY)

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413, f"The body may have at most {most} bytes.")
            return message

        await self._app(scope, counted, send)
