"""Keeps blocks out of what LiteLLM logs: callbacks, spend rows, and its own print of them, on success and failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from litellm_memory.engine import MOST_AT_ONCE, Outcome
from litellm_memory.hooks.guard import guard
from litellm_memory.wire.content import is_longer
from litellm_memory.wire.taken_out import BlocksOut, without_blocks

HANDLERS: Final = ("success_handler", "async_success_handler", "failure_handler", "async_failure_handler")
"""The methods of LiteLLM's logging object through which every log of a call begins, in all versions that we test with.

They are wrapped on the one object of a call that has a block. The public hook for this, `async_logging_hook`, is called
on success alone, and behind the loggers that are listed before it.
"""
MARKER: Final = "litellm_memory"
NOT_KEPT_OUT: Final = "Memories could not be kept out of LiteLLM's logs"
_METADATA: Final = ("metadata", "litellm_metadata")


class Unlogged:
    """The blocks of one call, kept out of LiteLLM's logs."""

    def __init__(self, outcome: Outcome, *, trace: str) -> None:
        self._placed = outcome.injection.placed
        self._out = BlocksOut(block for _, block in self._placed)
        self._marker = {"memories": outcome.count, "trace": trace}
        # LiteLLM keeps up to five copies of a conversation, and each message of each is looked at.
        self._apart = is_longer(outcome.body or {}, MOST_AT_ONCE)

    def watch(self, data: dict[str, Any]) -> None:
        """Changes what LiteLLM keeps beside the request ``data`` for its logs; what is sent stays as it is."""
        logging = data.get("litellm_logging_obj")
        if logging is not None and HANDLERS[0] not in vars(logging):
            for name in HANDLERS:
                later = self._apart and name.startswith("async_")
                first = self._first_apart if later else self._first
                setattr(logging, name, first(logging, getattr(logging, name)))
        told = data.get("proxy_server_request")
        if type(told) is dict:
            data["proxy_server_request"] = AsTheClientSent(told, self._body)

    def _body(self, body: Any) -> Any:
        """The body that LiteLLM keeps to show it later, without blocks."""
        if not isinstance(body, Mapping):
            return body
        bare = without_blocks(body, self._placed)
        return self._out(body) if bare is None else bare

    def _first(self, logging: Any, handler: Callable[..., Any]) -> Callable[..., Any]:
        """``handler``, which finds no block in what it logs."""

        def handle(*given: Any, **named: Any) -> Any:
            with guard(NOT_KEPT_OUT):
                self._clean(logging.model_call_details, self._out.changed(logging.model_call_details))
                named |= self._out.changed(named)
            return handler(*given, **named)

        return handle

    def _first_apart(self, logging: Any, handler: Callable[..., Any]) -> Callable[..., Any]:
        """As ``_first`` for an asynchronous handler; a thread reads what is to be logged of a long conversation."""

        async def handle(*given: Any, **named: Any) -> Any:
            with guard(NOT_KEPT_OUT):
                details = logging.model_call_details
                read = {**details}
                changed = await asyncio.to_thread(self._out.changed, read)
                # What LiteLLM has put there meanwhile is newer than what was read.
                self._clean(details, {key: bare for key, bare in changed.items() if details.get(key) is read[key]})
                named |= await asyncio.to_thread(self._out.changed, named)
            return await handler(*given, **named)

        return handle

    def _clean(self, details: dict[str, Any], bare: Mapping[str, Any]) -> None:
        """Puts what is ``bare`` of blocks into what LiteLLM logs of a call, and the marker."""
        details.update(bare)
        params = details.get("litellm_params")
        params = params if isinstance(params, dict) else {}
        marked = {
            name: {**held, "spend_logs_metadata": {**(held.get("spend_logs_metadata") or {}), MARKER: self._marker}}
            for name in _METADATA
            if isinstance(held := params.get(name), dict)
        }
        details["litellm_params"] = {**params, **marked}


class AsTheClientSent(dict[str, Any]):
    """LiteLLM's record of the client's request: whatever body it is given later, it keeps without blocks.

    LiteLLM takes the body anew after all hooks before a call, and writes the rows of failed requests from it.
    """

    def __init__(self, told: Mapping[str, Any] = {}, bare: Callable[[Any], Any] = lambda body: body) -> None:
        super().__init__(told)
        self._bare = bare

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "body":
            with guard("Memories could not be kept out of a request's record"):
                value = self._bare(value)
        super().__setitem__(key, value)
