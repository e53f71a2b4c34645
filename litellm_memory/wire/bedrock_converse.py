"""Bedrock Converse, and Amazon Nova's own bodies of the same shape: parts known by their key, not by a type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire.anthropic_messages import read as read_messages
from litellm_memory.wire.content import at, carries_tools, is_object, string
from litellm_memory.wire.reply import aloud, joined

_EVENTS = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
)


def read(body: Body) -> Turn | None:
    """The turn of a converse body; None without a readable message."""
    return read_messages(body)


def reply(events: Iterable[Mapping[str, Any]]) -> Reply:
    """The answer; a stream's events are objects of one key, their name. A ``stopReason`` ends it."""
    return joined(events, _heard)


def is_answer(event: Mapping[str, Any]) -> bool:
    """True for a converse answer and for the events of its stream."""
    return is_object(at(event, ("output", "message"))) or any(is_object(event.get(name)) for name in _EVENTS)


def _heard(event: Mapping[str, Any]) -> Reply:
    content = at(event, ("output", "message", "content"))
    started = at(event, ("contentBlockStart", "start"))
    ended = string(event.get("stopReason")) or string(at(event, ("messageStop", "stopReason")))
    return Reply(
        text=aloud(content) + aloud(at(event, ("contentBlockDelta", "delta", "text"))),
        tools=carries_tools(content) or carries_tools(started),
        complete=ended is not None,
    )
