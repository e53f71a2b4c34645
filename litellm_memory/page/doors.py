"""The page's own routes: signing in and out, and every other request passed on to the HTTP API as the key's own.

All of them lie under ``/api``, which is where the browser sends the cookie; ``/v1``, ``/mcp`` and LiteLLM's port get
none. A route that the page may call is the same code, with the same rights, as for a program that has the key.
"""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from litellm_memory import __version__
from litellm_memory.gate.access import Access, Served, Verified, carries_key, headers_of, verified
from litellm_memory.gate.apart import apart
from litellm_memory.gate.rates import KEY_HEADERS
from litellm_memory.page.sessions import LONGEST_CLAIMED, Session, Sessions, Verify, is_token_of
from litellm_memory.setup.config import PLUGIN as PLUGIN

COOKIE: Final = "litellm_memory_session"
TOKEN: Final = "x-csrf-token"
SAFE: Final = frozenset({"GET", "HEAD"})
PASSED_ON: Final = ("v1/", "memory-routing/", "ready", "health")
"""The beginnings of the API's routes that the page may ask."""
LONGEST_KEY: Final = 4096
REST_SECONDS: Final = 0.02
"""Between two routes that are built ahead, 5 ms each: LiteLLM's requests come first."""
MOST_CLAIMS: Final = 10_000
"""Used claims that are remembered; LiteLLM's claims hold for 30 s."""
NO_SALT: Final = (
    "LITELLM_SALT_KEY is not set, so anybody could sign for LiteLLM: set it for the proxy, or sign in with a key."
)


@dataclass(frozen=True, slots=True)
class Claims:
    """LiteLLM's signed claims about who looks at its Admin UI.

    ``are_signed``: False while LiteLLM has no secret to sign with. ``read``: the caller of a claim for the plugin of
    this name, None for any other text.
    """

    are_signed: Callable[[], bool]
    read: Callable[[str, str], Verified | None]


@dataclass(slots=True)
class Doors:
    """The page's routes of one sidecar. ``api`` makes the app that requests are passed on to, when it is needed."""

    served: Served
    sessions: Sessions
    claims: Claims | None
    api: Callable[[], FastAPI]
    _made: FastAPI | None = None
    _built: bool = False
    _used: dict[str, None] = field(default_factory=dict)

    def prepare(self) -> None:
        """Builds the API's routes, which takes a quarter of a second, in a thread: somebody is about to ask them."""
        if not self._built:
            self._built = True
            self.served.engine.spawn(asyncio.to_thread(_build, self._app().routes))

    async def prepare_ahead(self) -> None:
        """Does piece by piece what the first view would wait for, and holds up nobody by it."""
        # The rules are compiled when they are first used.
        await apart(partial(self.served.engine.redactor.always.text, "nothing"))
        for route in self._app().routes:
            await asyncio.to_thread(_build, [route])
            await asyncio.sleep(REST_SECONDS)
        self._built = True

    def _app(self) -> FastAPI:
        self._made = self._made or self.api()
        return self._made

    async def sign_in(self, request: Request) -> Response:
        """Begins a session with a LiteLLM key. Raises HTTPException: 401, 403 without memory, 422, 429."""
        given = await _object(request, "key")
        key = given["key"].strip()
        if not key or len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()):
            raise HTTPException(422, "key: this is no LiteLLM key")
        headers = [(b"authorization", f"Bearer {key.removeprefix('Bearer ')}".encode())]
        asking = Request({"type": "http", "headers": headers, "client": request.scope.get("client")})
        return await self._begin(request, partial(verified, asking, self.served))

    async def claim(self, request: Request) -> Response:
        """Begins a session with LiteLLM's claim. Raises HTTPException: 401, 403, 503 while claims are not signed."""
        if self.claims is None or not self.claims.are_signed():
            raise HTTPException(503, NO_SALT)
        claim = (await _object(request, "session_claim"))["session_claim"]
        caller = self.claims.read(PLUGIN, claim)
        if caller is None or not self._first_use(claim):
            raise HTTPException(401, "This claim of LiteLLM's is forged, old, used or another plugin's.")
        if self.served.engine.settings.identity.partition != "user" or not caller.user:
            raise HTTPException(403, "LiteLLM tells who looks, and that names no memory here: sign in with your key.")

        async def verify() -> Verified:
            return caller

        return await self._begin(request, verify, seconds=LONGEST_CLAIMED)

    async def who(self, request: Request) -> Response:
        """Who is signed in; null for nobody, which is how every visit begins. Raises HTTPException: 429."""
        try:
            return JSONResponse(await self._shown(await self._session(request)))
        except HTTPException as refused:
            if refused.status_code != 401:
                raise
            return JSONResponse(None)

    async def sign_out(self, request: Request) -> Response:
        """Ends the session. Raises HTTPException: 401, 403 without its CSRF token."""
        session = await self._session(request)
        self.sessions.end(session.id)
        return Response(status_code=204, headers={"set-cookie": self._cookie(request, "", 0)})

    async def manifest(self, request: Request) -> Response:
        """What LiteLLM's Admin UI shows of the page."""
        views = {
            "memories": "Memories",
            "review": "Review",
            "traces": "Traces",
            "try": "Try it",
            "usage": "Usage",
            "health": "Health",
        }
        items = [{"key": key, "label": label, "icon": "", "path": f"/#/{key}"} for key, label in views.items()]
        return JSONResponse(
            {
                "name": PLUGIN,
                "display_name": "Memory",
                "version": __version__,
                "nav_items": items,
                "capabilities": list(views),
            }
        )

    async def pass_on(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Asks the HTTP API as the session's caller. Raises HTTPException: 401, 403, 404."""
        request = Request(connection)
        path = str(connection["path_params"]["path"])
        if not path.startswith(PASSED_ON):
            raise HTTPException(404, "There is no such route.")
        session = await self._session(request)
        headers = {name: value for name, value in headers_of(request).items() if name not in KEY_HEADERS}
        headers["authorization"] = f"Bearer {session.id}"
        inner = {
            **connection,
            "path": f"/{path}",
            "raw_path": f"/{path}".encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
        for name in ("app", "router", "endpoint", "route", "path_params", "state"):
            inner.pop(name, None)
        await self._app()(inner, receive, send)

    async def authenticate(self, headers: Mapping[str, str]) -> Verified:
        """The caller of a request that ``pass_on`` made. Raises HTTPException: 401."""
        return (await self.sessions.find(headers.get("authorization", "").removeprefix("Bearer "))).caller

    async def _session(self, request: Request) -> Session:
        if carries_key(request):
            raise HTTPException(400, "The page's routes are for browsers: with a key, ask /v1 itself.")
        session = await self.sessions.find(request.cookies.get(COOKIE, ""))
        if request.method not in SAFE and not is_token_of(session, request.headers.get(TOKEN, "")):
            raise HTTPException(403, "This change does not come from the page: load it again.")
        return session

    async def _begin(self, request: Request, verify: Verify, **seconds: float) -> Response:
        session = await self.sessions.begin(verify, **seconds)
        answer = JSONResponse(await self._shown(session), 201)
        answer.headers["set-cookie"] = self._cookie(request, session.id, int(session.ends - session.verified))
        return answer

    def _cookie(self, request: Request, value: str, seconds: int) -> str:
        """The header that sets the cookie. It names no path, so the browser takes the route's folder behind any
        prefix."""
        secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
        framed = secure and self.served.engine.settings.sidecar.framed_by is not None
        # A browser that shows LiteLLM on another site keeps only cookies that belong to this pair of sites.
        site = "SameSite=None; Partitioned" if framed else "SameSite=Strict"
        return f"{COOKIE}={value}; Max-Age={seconds}; HttpOnly; {site}{'; Secure' if secure else ''}"

    async def _shown(self, session: Session) -> dict[str, Any]:
        engine = self.served.engine
        return {
            "csrf": session.csrf,
            "operator": session.caller.master,
            "partition": await Access(engine, session.caller).partition(writes=False),
            "user": engine.settings.identity.default_user_id,
            "min_score": engine.settings.recall.min_score,
            "version": __version__,
        }

    def _first_use(self, claim: str) -> bool:
        # What base64 stands for: one claim has many spellings.
        name = sha256(urlsafe_b64decode(claim)).hexdigest()
        if name in self._used:
            return False
        self._used[name] = None
        if len(self._used) > MOST_CLAIMS:
            del self._used[next(iter(self._used))]
        return True


def _build(routes: Sequence[BaseRoute]) -> None:
    # FastAPI builds a route at the first look at it, whether it fits or not.
    for route in routes:
        route.matches({"type": "http", "method": "GET", "path": "/none", "root_path": "", "headers": []})


async def _object(request: Request, name: str) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(422, "body: this is not JSON")
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise HTTPException(422, "body: this is not valid JSON") from None
    if not isinstance(given, dict) or not isinstance(given.get(name), str):
        raise HTTPException(422, f"{name}: a text is needed here")
    return given
