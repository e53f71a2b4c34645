"""ASGI middleware, for what hooks cannot do: strip memory headers, set response headers, read the answer."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, TypeAlias

from litellm_memory.engine import Engine
from litellm_memory.hooks.call import CURRENT, Call
from litellm_memory.hooks.early import Early
from litellm_memory.hooks.guard import guard
from litellm_memory.hooks.guardrails import Guardrails
from litellm_memory.hooks.record import noted_of
from litellm_memory.identity.headers import gathered, is_memory_header
from litellm_memory.metrics import note
from litellm_memory.wire.answers import read_answer

logger = logging.getLogger(__name__)

AsgiScope: TypeAlias = MutableMapping[str, Any]
AsgiMessage: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
Send: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]
App: TypeAlias = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

OWN_ROUTES = "/memory-routing/"
"""Our routes on LiteLLM's port: they show how the memory headers of a request are interpreted."""
MAX_ANSWER_BYTES = 8 * 2**20
"""A larger answer is not buffered: the person's words are then learned without it."""


class Wrap:
    """An ASGI app around LiteLLM's. It runs before authentication and decides nothing about identity."""

    def __init__(self, app: App, engine: Engine, guardrails: Guardrails) -> None:
        self._app = app
        self._engine = engine
        self._guardrails = guardrails
        self._early = Early(engine)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serves one request. Only a POST can get memory; memory headers reach no routes but our own."""
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(OWN_ROUTES):
            await self._app(scope, receive, send)
            return
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        # LiteLLM's pass-through routes forward the client's headers to the provider, so memory headers are stripped.
        own = partial(is_memory_header, settings=self._engine.settings.identity)
        passed = [pair for pair, (name, _) in zip(scope["headers"], headers, strict=True) if not own(name)]
        if scope.get("method") != "POST":
            await self._app({**scope, "headers": passed}, receive, send)
            return
        # The dict itself goes on: LiteLLM notes in it whom it verified.
        state = scope.get("state") or {}
        gathered_headers = gathered(headers, self._engine.settings.identity)
        call = Call(headers=gathered_headers, path=scope["path"], state=state, wrapped=True)
        answer = _Answer(call, send)
        receive = await self._early.reading(call, receive)
        if self._guardrails.any:
            receive = _kept(call, receive)
        token = CURRENT.set(call)
        try:
            await self._app({**scope, "headers": passed, "state": state}, receive, answer.send)
        finally:
            CURRENT.reset(token)
            self._early.note(call, refused=answer.status >= 400)
            self._note(call, answer)

    def _note(self, call: Call, answer: _Answer) -> None:
        if call.outcome is None:
            return
        # The client has its answer by now; an error of ours must not turn it into a failure.
        with guard("An answer could not be noted"):
            note(noted_of(call, call.outcome))
            if call.outcome.mark is not None:
                reader = answer.reader(call.outcome.format)
                self._engine.after(call.outcome, reader, size=answer.size, passed=call.passed())


def _kept(call: Call, receive: Receive) -> Receive:
    """``receive``, which keeps the client's own body: guardrails that are listed before memory change what it sees."""
    call.original = bytearray()

    async def received() -> AsgiMessage:
        message = await receive()
        if message["type"] == "http.request" and call.original is not None:
            call.original.extend(message.get("body", b""))
            if len(call.original) > MAX_ANSWER_BYTES:
                call.original = None
        return message

    return received


class _Answer:
    """Streams an answer to the client, and buffers a copy for learning."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call = call
        self._send = send
        self._chunks: list[bytes] = []
        self.size = 0
        """Bytes of the answer that were sent."""
        self.status = 0
        """The answer's HTTP status; 0 before it began."""
        self._headers: dict[str, str] = {}

    async def send(self, message: AsgiMessage) -> None:
        """Forwards one ASGI message of the answer; memory headers are added to its start."""
        if message["type"] == "http.response.start":
            message = self._started(message)
        elif message["type"] == "http.response.body":
            self._keep(message.get("body", b""))
        await self._send(message)

    def reader(self, format: Any) -> Callable[[], Any] | None:
        """A function that parses the reply from the bytes that were sent; None when the call failed."""
        if not 200 <= self.status < 300:
            return None
        sent, encoding = b"".join(self._chunks), self._headers.get("content-encoding", "identity")
        media_type = self._headers.get("content-type", "")
        return lambda: read_answer(_plain(sent, encoding), media_type, format)

    def _started(self, message: AsgiMessage) -> AsgiMessage:
        self.status = message["status"]
        headers = list(message.get("headers", ()))
        self._headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        ours = [(name.encode(), value.encode("latin-1")) for name, value in self._call.response_headers().items()]
        return {**message, "headers": [*headers, *ours]}

    def _keep(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self._call.outcome is None or self._call.outcome.mark is None:
            return
        if self.size > MAX_ANSWER_BYTES:
            self._chunks.clear()
        else:
            self._chunks.append(chunk)


def _plain(sent: bytes, encoding: str) -> bytes:
    """The decompressed bytes of an answer; empty when it cannot be decompressed or is too large."""
    if encoding == "identity":
        return sent
    if encoding != "gzip":
        logger.debug("An answer in the encoding %.40r cannot be read.", encoding)
        return b""
    # LiteLLM 1.106 compresses every unstreamed answer from 500 bytes for clients that accept it; 1.108 does not.
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unzip.decompress(sent, MAX_ANSWER_BYTES)
    except zlib.error:
        logger.debug("An answer of %d bytes is no valid gzip.", len(sent))
        return b""
    if not unzip.eof:
        logger.debug("An answer of %d compressed bytes was cut off, or is too large to be read.", len(sent))
        return b""
    return plain
