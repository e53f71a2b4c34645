"""Keeps blocks out of what LiteLLM logs: callbacks, spend rows, and its own print of them, on success and failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from litellm_memory.engine import MOST_AT_ONCE, Outcome
from litellm_memory.hooks.guard import guard
from litellm_memory.wire.content import is_longer
from litellm_memory.wire.taken_out import BlocksOut, without_blocks

HANDLERS: Final = ("success_handler", "async_success_handler", "failure_handler", "async_failure_handler")
"""The methods of LiteLLM's logging object through which every log of a call begins, in all versions that we test with.

The object of a call that has a block gets a class whose methods take blocks out first. The public hook for this,
`async_logging_hook`, is called on success alone, and behind the loggers that are listed before it.
"""
MARKER: Final = "litellm_memory"
NOT_KEPT_OUT: Final = "Memories could not be kept out of LiteLLM's logs"
_METADATA: Final = ("metadata", "litellm_metadata")
_UNLOGGED: Final = "_litellm_memory_unlogged"
_OWN: Final = ("model_call_details", "messages")
"""The fields of a logging object in which a conversation is."""
_DEPTH: Final = 3
"""A record, what it holds of a call, and the metadata in that. LiteLLM and its loggers change none below in place."""


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
        if logging is not None and _UNLOGGED not in vars(logging):
            setattr(logging, _UNLOGGED, self)
            kind: Any = type(logging)
            logging.__class__ = _watched(kind)
        told = data.get("proxy_server_request")
        if type(told) is dict:
            data["proxy_server_request"] = AsTheClientSent(told, self._body)

    def _body(self, body: Any) -> Any:
        """The body that LiteLLM keeps to show it later, without blocks."""
        if not isinstance(body, Mapping):
            return body
        bare = without_blocks(body, self._placed)
        return self._out(body) if bare is None else bare

    def for_one_log(self, logging: Any, view: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """``logging`` as one log may have it, and what its handler was given by name, both without blocks."""
        # LiteLLM makes all calls of a request to several models with one logging object, and each call writes the
        # conversation into its record anew, also while another call is being logged.
        common = logging.model_call_details
        details = {**_copied(common), "": logging.messages}
        details["litellm_params"] = details.get("litellm_params") or {}
        details |= self._out.changed(details)
        bare = object.__new__(view)
        bare.__dict__ = logging.__dict__
        bare.messages = details.pop("")
        bare.model_call_details = _for_one_log(details, common)
        self._mark(bare.model_call_details["litellm_params"])
        return bare, {**named, **self._out.changed(named)}

    async def for_one_log_apart(self, *given: Any) -> tuple[Any, dict[str, Any]]:
        """As ``for_one_log``; a thread reads a long conversation."""
        return await asyncio.to_thread(self.for_one_log, *given) if self._apart else self.for_one_log(*given)

    def _mark(self, params: Mapping[str, Any]) -> None:
        for name in _METADATA:
            if isinstance(held := params.get(name), OfOneLog):
                told = {**(held.get("spend_logs_metadata") or {}), MARKER: self._marker}
                held.set_here("spend_logs_metadata", told)


class OfOneLog(dict[str, Any]):
    """A dict of LiteLLM's as one log of a call has it: what others change in the original meanwhile is not seen here.

    What is put here is put into the original as well, because that is where LiteLLM looks what was logged already.
    """

    def __init__(self, original: dict[str, Any], bare: Mapping[str, Any]) -> None:
        super().__init__(bare)
        self._original = original

    def set_here(self, key: str, value: Any) -> None:
        """Puts it here alone."""
        super().__setitem__(key, value)

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._original[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *given: Any, **named: Any) -> None:
        for key, value in dict(*given, **named).items():
            self[key] = value

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)  # Loggers copy what they keep; the original has blocks.


def _copied(value: Any, depth: int = _DEPTH) -> Any:
    """``value`` in dicts that nobody else has."""
    # Its content may change meanwhile, so nothing is read of a dict but a copy.
    return {key: _copied(item, depth - 1) for key, item in [*value.items()]} if depth and _is_dict(value) else value


def _for_one_log(bare: Any, original: Any, depth: int = _DEPTH) -> Any:
    if not (depth and _is_dict(bare) and isinstance(original, dict | None)):
        return bare
    original = {} if original is None else original
    return OfOneLog(original, {key: _for_one_log(item, original.get(key), depth - 1) for key, item in bare.items()})


def _is_dict(value: Any) -> bool:
    return type(value) in (dict, OfOneLog)


@cache
def _watched(kind: Any) -> Any:
    """``kind``, LiteLLM's class of logging objects, with handlers that log what has no blocks; copies have them too."""
    # Slots hide the fields of this name in the original's own ``__dict__``, which both share.
    view = type(kind.__name__, (kind,), {"__slots__": _OWN})

    def first(name: str) -> Callable[..., Any]:
        handler = getattr(kind, name)

        def handle(logging: Any, *given: Any, **named: Any) -> Any:
            with guard(NOT_KEPT_OUT):
                logging, named = getattr(logging, _UNLOGGED).for_one_log(logging, view, named)
            return handler(logging, *given, **named)

        async def handle_apart(logging: Any, *given: Any, **named: Any) -> Any:
            with guard(NOT_KEPT_OUT):
                logging, named = await getattr(logging, _UNLOGGED).for_one_log_apart(logging, view, named)
            return await handler(logging, *given, **named)

        return handle_apart if name.startswith("async_") else handle

    return type(kind.__name__, (kind,), {name: first(name) for name in HANDLERS})


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
