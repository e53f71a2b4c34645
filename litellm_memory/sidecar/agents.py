"""The door of ``/mcp``: who asks and whose memory it is, before the protocol's own SDK is loaded and speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Final

from fastapi import HTTPException, Request
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from litellm_memory.engine import Engine
from litellm_memory.identity import Refusal, identify
from litellm_memory.identity.headers import gathered, read_options
from litellm_memory.models import Caller, Turn
from litellm_memory.sidecar.tools import Acting
from litellm_memory.sidecar.why import REASONS

MISSING: Final = "This needs the SDK of the Model Context Protocol: pip install 'litellm-memory[mcp]'."


class _Tools:
    """An ASGI app: one request of an agent's client."""

    def __init__(self, engine: Engine, verified: Callable[[Request], Awaitable[Caller]]) -> None:
        self._engine = engine
        self._verified = verified

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Answers it. Raises HTTPException: 401, 403, or 503 when the SDK is not installed."""
        request = Request(connection)
        acting = _acting(self._engine, await self._verified(request), request)
        try:
            # A second or so, and most sidecars are never asked.
            protocol = await asyncio.to_thread(import_module, "litellm_memory.sidecar.mcp")
        except ModuleNotFoundError:
            raise HTTPException(503, MISSING) from None
        await protocol.answer(acting, connection, receive, send)


def tools_for_agents(engine: Engine, verified: Callable[[Request], Awaitable[Caller]]) -> _Tools:
    """The ASGI app of ``/mcp``; ``verified`` tells who asks, or raises 401."""
    return _Tools(engine, verified)


def _acting(engine: Engine, caller: Caller, request: Request) -> Acting:
    """For whom the tools act: the very user and project that a request with these headers would have."""
    settings = engine.settings.identity
    headers = gathered(request.headers.items(), settings)
    scope = identify(caller, headers, read_options(headers, settings), Turn(()), settings)
    if isinstance(scope, Refusal):
        raise HTTPException(403, REASONS.get(scope.reason, scope.reason))
    return Acting(engine, caller, scope, request.query_params.get("partition"))
