"""What nobody foresaw: the client is told that something went wrong, and neither it nor the log what a request held."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from litellm_memory.sidecar.sizes import App, Message, Receive, Send

logger = logging.getLogger(__name__)


class Unforeseen:
    """An ASGI middleware right round the routes. ``answer`` is sent when one of them fails before it answered."""

    def __init__(self, app: App, answer: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serves a request; an error that no handler knows ends here, because a server would log its text."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        # FastAPI answers the errors that it knows; what is left may be anything, and its text may hold a memory.
        except Exception as error:
            logger.error("A request to the sidecar failed (%s).", type(error).__name__)
            logger.debug("A request to the sidecar failed", exc_info=True)
            if not begun:
                await self._answer(scope, receive, send)
