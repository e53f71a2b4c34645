"""What a wire format is. Each is one module that ends with its ``FORMAT``; all of them are listed in ``formats.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from litellm_memory.models import Body, Reply, Turn

Event: TypeAlias = Mapping[str, Any]
"""One JSON object of an answer: a streamed event, or the whole answer where it was not streamed."""


def _never(body: Body) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """One way to put a conversation and its answer into JSON. What a format does not have, it leaves out."""

    name: str
    """The name of the format's module, for logs."""

    read: Callable[[Body], Turn | None]
    """The turn that a body asks; None for a body that cannot or must not be read. Never raises for JSON."""
    reply: Callable[[Iterable[Event]], Reply]
    """The reply in these events; an answer that was not streamed is a single event. Never raises for JSON."""
    is_answer: Callable[[Event], bool]
    """True for an event, or a whole answer, in this format."""

    call_types: tuple[str, ...] = ()
    """LiteLLM's call types of its own routes for this format; LiteLLM's response cache applies to them."""
    paths: tuple[str, ...] = ()
    """The ends of the paths at which providers serve this format: a pass-through route keeps the provider's path."""
    is_request: Callable[[Body], bool] = _never
    """True for a body whose shape shows this format, for a path that shows none."""

    with_system: Callable[[Body, str], dict[str, Any]] | None = None
    """A copy of a body without a system prompt that has this text as its system prompt."""
    message_list: str | None = None
    """The key of the list of messages, where a system message may be anywhere in that list."""
    single_part_keys: tuple[str, ...] = ()
    """Keys of the body under which LiteLLM forwards only the first text part: a block is put into that part's text."""
