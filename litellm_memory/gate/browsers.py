"""Protection against pages in a browser: the sidecar refuses requests of pages with another origin, and unknown hosts.

No cookie authenticates here. But a page could make its own name resolve to this host (DNS rebinding), or use a LiteLLM
without keys.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from litellm_memory.gate.rates import is_loopback
from litellm_memory.gate.sizes import App, Receive, Send

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})
"""Wildcard addresses to listen on: they do not tell the name by which clients reach the sidecar."""

Refuse = Callable[[int, str], Callable[..., Awaitable[None]]]


class Browsers:
    """An ASGI middleware. ``host`` is where the sidecar listens; ``refuse`` makes a response from a status and a
    text."""

    def __init__(self, app: App, host: str, refuse: Refuse) -> None:
        self._app = app
        self._names = None if host in EVERYWHERE else LOOPBACK | {host}
        self._refuse = refuse

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes a request on unless a foreign page makes it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        answering = self._app if refusal is None else self._refuse(*refusal)
        await answering(scope, receive, send)

    def _refusal(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = _name(f"//{headers.get('host', '')}")
        if self._names is not None and host not in self._names:
            return 400, "This is not a name of this sidecar: ask it by the address that it listens on."
        foreign = "origin" in headers and _name(headers["origin"]) not in {host, *(self._names or ())}
        if foreign or headers.get("sec-fetch-site") == "cross-site":
            return 403, "A page of another site may not ask this sidecar."
        return None


def is_this_host(request: Request) -> bool:
    """True when the request came from this host and asked for it by a name that no page can have."""
    asked = _name(f"//{request.headers.get('host', '')}")
    return request.client is not None and is_loopback(request.client.host) and asked in LOOPBACK


def _name(address: str) -> str | None:
    """The host of an address without its port; None when there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
