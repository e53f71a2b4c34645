"""Everything assembled once from Settings, and the background work: opening, following other workers, housekeeping.

The names are imported on first use: the keeper and the search process need a part of this room only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from litellm_memory.engine.engine import Engine
    from litellm_memory.engine.health import Health
    from litellm_memory.engine.past import Taken, take
    from litellm_memory.request.let_through import LetThrough, let_through
    from litellm_memory.request.long import MOST_AT_ONCE
    from litellm_memory.request.outcome import Outcome
    from litellm_memory.request.participation import vendor_of
    from litellm_memory.request.past import Heard, SaidThen, heard_in
    from litellm_memory.request.request import Request
    from litellm_memory.request.screened import Screen
    from litellm_memory.request.tracing import trace_of

__all__ = [
    "MOST_AT_ONCE",
    "Engine",
    "Health",
    "Heard",
    "LetThrough",
    "Outcome",
    "Request",
    "SaidThen",
    "Screen",
    "Taken",
    "heard_in",
    "let_through",
    "take",
    "trace_of",
    "vendor_of",
]

_MODULES: Final = {
    "MOST_AT_ONCE": "request.long",
    "Engine": "engine.engine",
    "Health": "engine.health",
    "Heard": "request.past",
    "LetThrough": "request.let_through",
    "Outcome": "request.outcome",
    "Request": "request.request",
    "SaidThen": "request.past",
    "Screen": "request.screened",
    "Taken": "engine.past",
    "heard_in": "request.past",
    "let_through": "request.let_through",
    "take": "engine.past",
    "trace_of": "request.tracing",
    "vendor_of": "request.participation",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"litellm_memory.{_MODULES[name]}"), name)
    return value
