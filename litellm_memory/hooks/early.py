"""A search begins when the request arrives, some milliseconds before LiteLLM calls the pre-call hook.

It is made for the caller for whom LiteLLM last verified the same key. Its result is given to nobody but a hook that
asks the very same question, from what LiteLLM has verified by then: the same scope, words, limits and settings, beside
the same blocks of the conversation.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import orjson

from litellm_memory.engine import Engine, Request
from litellm_memory.gate.rates import KEY_HEADERS
from litellm_memory.hooks.call import Call
from litellm_memory.hooks.guard import guard
from litellm_memory.models import Caller
from litellm_memory.wire.recognition import BY_PATH

VERIFIED_SECONDS: Final = 300.0
"""How long after LiteLLM verified a key its searches begin early: anybody else's cost no work before it refuses
them."""
MOST_KEYS: Final = 1024
MOST_BYTES: Final = 2**16
"""Of a body that is read early: reading a longer one takes the worker longer than the request waits less."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Early:
    """Reads requests of keys that were verified lately."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._verified: OrderedDict[int, tuple[float, Caller]] = OrderedDict()

    def note(self, call: Call, *, refused: bool) -> None:
        """LiteLLM has verified the key of ``call``, if its pre-call hook was called, or has refused the call before."""
        credentials = _credentials(call.headers)
        if credentials is None:
            return
        if call.caller is None:
            # Whoever is over a limit costs no more searches either.
            if refused:
                self._verified.pop(credentials, None)
            return
        self._verified[credentials] = time.monotonic(), call.caller
        self._verified.move_to_end(credentials)
        if len(self._verified) > MOST_KEYS:
            self._verified.popitem(last=False)

    async def reading(self, call: Call, receive: Receive) -> Receive:
        """Begins the search of ``call`` once its body is there; returns a ``receive`` that tells all from the start."""
        caller = self._likely(call)
        if caller is None:
            return receive
        messages, body, more = deque[MutableMapping[str, Any]](), bytearray(), True
        while more and len(body) <= MOST_BYTES:
            message = await receive()
            messages.append(message)
            body.extend(message.get("body", b""))
            more = message.get("more_body", False)
        if len(body) <= MOST_BYTES:
            await self._begin(call, caller, bytes(body))

        async def received() -> MutableMapping[str, Any]:
            return messages.popleft() if messages else await receive()

        return received

    def _likely(self, call: Call) -> Caller | None:
        """For whom the key of ``call`` was verified lately; None when it was not."""
        credentials = _credentials(call.headers)
        if credentials is None or credentials not in self._verified:
            return None
        at, caller = self._verified[credentials]
        return None if time.monotonic() - at > VERIFIED_SECONDS else caller

    async def _begin(self, call: Call, caller: Caller, body: bytes) -> None:
        with guard("A search could not begin early"):
            try:
                read = orjson.loads(body)
            except orjson.JSONDecodeError:
                return
            if isinstance(read, dict):
                # Its fallbacks, which may keep memory out, are known to the hook.
                models = (read["model"],) if isinstance(read.get("model"), str) else ()
                request = Request(call.id, BY_PATH, call.path, call.headers, read, caller, models, dry=True)
                await self._engine.ahead(request)


def _credentials(headers: Mapping[str, str]) -> int | None:
    """A number for the key that a request carries, in this process alone; None when it carries none."""
    given = tuple(headers.get(name) for name in KEY_HEADERS)
    return hash(given) if any(given) else None
