"""The interface of a wire format. Each is a module that ends with its ``FORMAT`` and is listed in ``formats.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from litellm_memory.models import Body, Reply, Turn

Event: TypeAlias = Mapping[str, Any]
"""One JSON object of an answer: a streamed event, or the whole answer if it was not streamed."""


def _never(body: Body) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """One way to encode a conversation and its answer as JSON. Fields that do not apply keep their default."""

    name: str
    """The name of the format's module, for logs."""

    read: Callable[[Body], Turn | None]
    """The turn of a body; None for a body that cannot or must not be parsed. Never raises for JSON."""
    reply: Callable[[Iterable[Event]], Reply]
    """The reply in these events; an answer that was not streamed is a single event. Never raises for JSON."""
    is_answer: Callable[[Event], bool]
    """True for an event, or a whole answer, in this format."""

    call_types: tuple[str, ...] = ()
    """LiteLLM's call types of its own routes for this format; LiteLLM's response cache applies to them."""
    paths: tuple[str, ...] = ()
    """Suffixes of the provider's paths for this format; a pass-through route keeps the provider's path."""
    is_request: Callable[[Body], bool] = _never
    """True for a body whose shape is this format's; used when the path does not tell."""

    with_system: Callable[[Body, str], dict[str, Any]] | None = None
    """A copy of a body, which has no system prompt, with this text as its system prompt."""
    message_list: str | None = None
    """The key of the list of messages, if the format allows a system message anywhere in that list."""
    single_part_keys: tuple[str, ...] = ()
    """Keys of the body where LiteLLM forwards only the first text part, so a block is prepended to that part's text."""
