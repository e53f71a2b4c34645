"""Puts the page into the sidecar's app: its files, its routes, and the headers that keep other sites out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response
from starlette.routing import Route

from litellm_memory.gate.sizes import App, Message, Receive, Send
from litellm_memory.page import convert, fares, routes
from litellm_memory.page.doors import Claims, Doors
from litellm_memory.page.sessions import Sessions
from litellm_memory.sidecar import Served, create_app

TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    )
)
"""What the page may load: its own files, and nothing of another host or written into a document."""

ROUTERS: Final = (routes.router, fares.router, convert.router)
"""Routes of the HTTP API that the page needs besides the sidecar's."""


def with_page(app: FastAPI, claims: Claims | None = None, clock: Callable[[], float] = time.monotonic) -> FastAPI:
    """The sidecar's app with the page at ``/``. ``claims``: None where no LiteLLM signs any."""
    served: Served = app.state.litellm_memory
    add_routes(app)
    routes = tuple(app.routes)

    def api() -> FastAPI:
        return create_app(served.engine, doors.authenticate, served.shared, served.turns, routes)

    async def visited(request: Request) -> Response:
        doors.prepare()
        return await shell(request)

    doors = Doors(served, Sessions(clock), claims, api)
    # First of all routes: FastAPI builds one when a request comes to it, or past it to a later one.
    app.routes[:0] = (
        Route("/", visited, methods=["GET"], include_in_schema=False),
        Route("/page/{name}", static, methods=["GET"], include_in_schema=False),
        Route("/api/plugin-manifest", doors.manifest, methods=["GET"], include_in_schema=False),
        Route("/api/plugin-auth", doors.claim, methods=["POST"], include_in_schema=False),
        Route("/api/session", doors.who, methods=["GET"], include_in_schema=False),
        Route("/api/session", doors.sign_in, methods=["POST"], include_in_schema=False),
        Route("/api/session", doors.sign_out, methods=["DELETE"], include_in_schema=False),
        Route("/api/{path:path}", PassingOn(doors), include_in_schema=False),
    )
    app.add_middleware(Headers, framed_by=served.engine.settings.sidecar.framed_by)
    app.state.prepare_page = doors.prepare_ahead
    return app


def add_routes(app: FastAPI) -> None:
    """Adds the routes of the HTTP API that the page needs besides the others."""
    for router in ROUTERS:
        app.include_router(router)


class PassingOn:
    """``Doors.pass_on`` as an ASGI app, so that an answer of any length is passed on as it is made."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def __call__(self, connection: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        await self._doors.pass_on(connection, receive, send)


class Headers:
    """An ASGI middleware: who may frame the page, what it may load, and that no cache keeps what it shows."""

    def __init__(self, app: App, framed_by: str | None) -> None:
        self._app = app
        policy = f"{POLICY}; frame-ancestors {framed_by or chr(39) + 'none' + chr(39)}"
        self._added: Mapping[bytes, bytes] = {
            b"content-security-policy": policy.encode(),
            b"x-content-type-options": b"nosniff",
            b"referrer-policy": b"no-referrer",
            b"cross-origin-resource-policy": b"same-origin",
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Passes a request on and adds the headers to the answers of the page's routes."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not (path == "/" or path.startswith(("/page/", "/api/"))):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                kept = {**self._added, b"cache-control": b"no-store"}
                added = [(name, value) for name, value in kept.items() if name not in there]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(_linked(scope) if path == "/" else scope, receive, sending)


def _linked(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A visit by a link of another site, or in LiteLLM's frame, without the header that refuses it: the document at
    ``/`` holds nothing of anybody."""
    headers = dict(scope["headers"])
    if scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == b"navigate":
        kept = [(name, value) for name, value in scope["headers"] if name != b"sec-fetch-site"]
        return {**scope, "headers": kept}
    return scope


async def shell(request: Request) -> Response:
    """The document, the same for everybody."""
    return await _file(request, "page.html")


async def static(request: Request) -> Response:
    """A style, a script or a picture. Raises HTTPException: 404."""
    return await _file(request, request.path_params["name"])


async def _file(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise HTTPException(404, "There is no such file.")
    content, tag = found
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=f"{TYPES[name.rpartition('.')[2]]}; charset=utf-8", headers=headers)


@cache
def _files() -> Mapping[str, tuple[bytes, str]]:
    """The page's files by name, each with its entity tag; some 60 kB, read once."""
    read = {file.name: file.read_bytes() for file in (files(__package__) / "static").iterdir()}
    return {name: (content, f'"{sha256(content).hexdigest()[:24]}"') for name, content in read.items()}
