"""Anthropic messages: ``system`` and ``messages`` in, content blocks out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire.content import at, carries_tools, chat_messages, is_object, string, system, turn
from litellm_memory.wire.reply import aloud, joined

_EVENTS = (
    "message",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
)


def read(body: Body) -> Turn | None:
    """The turn of a messages body; None without a readable message."""
    said = chat_messages(body)
    return turn(body, [*system(body.get("system"), ("system",)), *said]) if said else None


def reply(events: Iterable[Mapping[str, Any]]) -> Reply:
    """The answer of its text blocks. A ``stop_reason`` or ``message_stop`` ends it."""
    return joined(events, _heard)


def is_answer(event: Mapping[str, Any]) -> bool:
    """True for a message and for the events of its stream."""
    return event.get("type") in _EVENTS


def _heard(event: Mapping[str, Any]) -> Reply:
    if event.get("type") == "message":
        return _block(event.get("content"), ended=string(event.get("stop_reason")) is not None)
    if event.get("type") == "message_stop":
        return Reply("", complete=True)
    if is_object(block := event.get("content_block")):
        return _block([block])
    delta = event.get("delta")
    return Reply(aloud(at(delta, ("text",))), complete=string(at(delta, ("stop_reason",))) is not None)


def _block(content: object, *, ended: bool = False) -> Reply:
    return Reply(aloud(content), tools=carries_tools(content), complete=ended)
