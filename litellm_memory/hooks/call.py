"""One HTTP request on its way through LiteLLM: the state that the hooks and the ASGI wrap share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from litellm_memory.engine import LetThrough, Outcome, let_through
from litellm_memory.models import Caller

if TYPE_CHECKING:
    from litellm_memory.hooks.logs import Unlogged

# A context variable is visible to every later hook of the request and to the success log. LiteLLM's call id cannot
# identify a request: a generateContent call that is bridged to a chat model gets a second one.
CURRENT: ContextVar[Call | None] = ContextVar("litellm_memory_call", default=None)


@dataclass(slots=True)
class Call:
    """State of one request. The hooks fill in ``outcome``; the wrap reads the answers of ``wrapped`` calls."""

    headers: Mapping[str, str] = field(default_factory=dict)
    path: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    """What LiteLLM keeps with the request, such as whom it verified; empty when the wrap did not see the request."""
    wrapped: bool = False
    relayed: bool = False
    """The request skipped the pre-call hook, and got its memory in the deployment hook instead."""
    outcome: Outcome | None = None
    unlogged: Unlogged | None = None
    """What keeps the blocks of this call out of LiteLLM's logs; None when it has none, or they stay in."""
    caller: Caller | None = None
    original: bytearray | None = None
    """The client's own body as it came in, where a guardrail may change it before memory sees it."""
    sent: Mapping[str, Any] | None = None
    """The data of a guarded request as its guardrails let it through; None until it was answered."""
    refused: bool = False
    """A guardrail refused the request or its answer, or the call failed."""
    failures: int = 0
    """How many attempts to call a model failed."""
    succeeded: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    begun: float = field(default_factory=time.perf_counter)
    """When the request arrived, on a monotonic clock."""

    def client_body(self) -> Any:
        """The client's own body, parsed; None when it was not kept or is no JSON object."""
        with suppress(orjson.JSONDecodeError):
            body = orjson.loads(self.original) if self.original else None
            return body if isinstance(body, dict) else None
        return None

    def passed(self) -> Callable[[], LetThrough | None] | None:
        """Tells what guardrails let through of a guarded request; None when one refused it, or nothing is known."""
        outcome, sent = self.outcome, self.sent
        if outcome is None or sent is None or self.refused:
            return None
        body = sent["data"] if isinstance(sent.get("data"), dict) else sent
        return lambda: let_through(outcome, body, self.client_body())

    def response_headers(self) -> dict[str, str]:
        """The ``x-memory-*`` response headers; empty for a request that memory did not look at."""
        if self.outcome is None:
            return {}
        return {
            "x-memory-status": self.outcome.status,
            "x-memory-reason": self.outcome.reason,
            "x-memory-count": str(self.outcome.count),
            "x-memory-tokens": str(self.outcome.tokens),
            "x-memory-trace": self.id,
        }


def current_call() -> Call:
    """The call of the running request; a new one when the ASGI wrap did not see it."""
    call = CURRENT.get()
    if call is None:
        call = Call()
        CURRENT.set(call)
    return call
