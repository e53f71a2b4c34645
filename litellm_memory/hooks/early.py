"""The search process is told a question when it arrives, some milliseconds before LiteLLM calls the pre-call hook.

Its vector is made in that time, which is the longest part of a search. Only the question's text goes ahead, and nothing
comes back: in whose memory is searched, and whether at all, is decided in the hook, from what LiteLLM has verified.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import orjson

from litellm_memory.engine import Engine
from litellm_memory.gate.rates import KEY_HEADERS
from litellm_memory.hooks.call import Call
from litellm_memory.hooks.guard import guard

VERIFIED_SECONDS: Final = 300.0
"""How long after LiteLLM verified a key its questions go ahead: anybody else's cost no work before it refuses them."""
MOST_KEYS: Final = 1024
MOST_BYTES: Final = 2**16
"""Of a body that is read ahead: reading a longer one takes the worker longer than the search process saves."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Early:
    """Reads requests of keys that were verified lately."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._verified: OrderedDict[int, float] = OrderedDict()

    def note(self, call: Call) -> None:
        """LiteLLM has verified the key of ``call``, if its pre-call hook was called."""
        credentials = _credentials(call.headers)
        if call.caller is None or credentials is None:
            return
        self._verified[credentials] = time.monotonic()
        self._verified.move_to_end(credentials)
        if len(self._verified) > MOST_KEYS:
            self._verified.popitem(last=False)

    def reading(self, call: Call, receive: Receive) -> Receive:
        """``receive``, which also sends the question of ``call`` ahead when its body is there."""
        credentials = _credentials(call.headers)
        if (
            credentials is None
            or time.monotonic() - self._verified.get(credentials, -VERIFIED_SECONDS) > VERIFIED_SECONDS
        ):
            return receive
        body = bytearray()

        async def received() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "http.request" and len(body) <= MOST_BYTES:
                body.extend(message.get("body", b""))
                if not message.get("more_body") and len(body) <= MOST_BYTES:
                    self._send_ahead(call, bytes(body))
            return message

        return received

    def _send_ahead(self, call: Call, body: bytes) -> None:
        with guard("A question could not be read ahead"):
            try:
                read = orjson.loads(body)
            except orjson.JSONDecodeError:
                return
            self._engine.expect(read, call.path or "", call.headers)


def _credentials(headers: Mapping[str, str]) -> int | None:
    """A number for the key that a request carries, in this process alone; None when it carries none."""
    given = tuple(headers.get(name) for name in KEY_HEADERS)
    return hash(given) if any(given) else None
