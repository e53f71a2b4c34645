"""Unexpected errors: the client gets a generic error, and neither it nor the log sees content of the request."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from litellm_memory.gate.sizes import App, Message, Receive, Send
from litellm_memory.gate.turns import given_back

logger = logging.getLogger(__name__)


class Unforeseen:
    """An ASGI middleware around the routes. ``answer`` is sent when one of them fails before its response started."""

    def __init__(self, app: App, answer: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes a request on; an unhandled error ends here, because the server would log its text."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            with given_back(scope):
                await self._app(scope, receive, sending)
        # FastAPI handles the errors that it knows; any other may contain the text of a memory.
        except Exception as error:
            logger.error("A request to the sidecar failed (%s).", type(error).__name__)
            logger.debug("A request to the sidecar failed", exc_info=True)
            if not begun:
                await self._answer(scope, receive, send)
