"""The size limit of a request to the sidecar: 413 before the body is read into RAM."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from starlette.exceptions import HTTPException

LARGEST_BODY = 4 * 2**20
"""Bytes. A preview carries a whole conversation."""
STREAMED = ("/v1/import",)
"""Routes that stream their body line by line, each with a limit of its own."""

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

TOO_LARGE = f"The body may have at most {LARGEST_BODY} bytes."


class Sizes:
    """An ASGI middleware. A body without a length is counted as it arrives."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes on a request whose body is small enough."""
        if scope["type"] != "http" or scope["path"] in STREAMED:
            await self._app(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise HTTPException(413, TOO_LARGE)
            return message

        await self._app(scope, counted, send)
