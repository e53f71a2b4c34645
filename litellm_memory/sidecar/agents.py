"""The entry of ``/mcp``: authenticates the caller before the protocol's SDK is imported."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Final

from fastapi import HTTPException, Request
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Connection

from litellm_memory.care.why import REASONS
from litellm_memory.gate.access import Access, served, verified
from litellm_memory.identity import Refusal, identify
from litellm_memory.identity.headers import gathered, read_options
from litellm_memory.models import Turn
from litellm_memory.sidecar.tools import Agent

MISSING: Final = "This needs the SDK of the Model Context Protocol: pip install 'litellm-memory[mcp]'."


class AgentTools:
    """The ASGI app of ``/mcp``: answers one request of an agent's client."""

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Answers it. Raises HTTPException: 401, 403, 413, or 503 when the SDK is not installed."""
        request = Request(connection, receive)
        agent = await _agent(request)
        # The SDK reads in a group of tasks, out of which a refusal of what is too large would come as a failure.
        body = await request.body()
        try:
            # The import takes about a second, and most sidecars never need it.
            protocol = await asyncio.to_thread(import_module, "litellm_memory.sidecar.mcp")
        except ModuleNotFoundError:
            raise HTTPException(503, MISSING) from None
        await protocol.answer(agent, connection, _again(body, receive), send)


def _again(body: bytes, receive: Receive) -> Receive:
    """``receive`` of a request whose body was read: it tells the body first."""
    told: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return told.pop() if told else await receive()

    return receiving


async def _agent(request: Request) -> Agent:
    """The caller and scope of the tools: the user and project that a request with these headers would have."""
    here = await served(request)
    caller = await verified(request, here)
    settings = here.engine.settings.identity
    headers = gathered(request.headers.items(), settings)
    scope = identify(caller, headers, read_options(headers, settings), Turn(()), settings)
    if isinstance(scope, Refusal):
        raise HTTPException(403, REASONS.get(scope.reason, scope.reason))
    return Agent(Access(here.engine, caller, request.query_params.get("partition")), scope)
