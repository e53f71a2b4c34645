"""Anthropic messages: ``system`` and ``messages`` in, content blocks out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire.content import at, carries_tools, chat_messages, is_object, string, system
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.reply import joined, visible_text
from litellm_memory.wire.turn import turn

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
    messages = chat_messages(body)
    return turn(body, [*system(body.get("system"), ("system",)), *messages]) if messages else None


def reply(events: Iterable[Event]) -> Reply:
    """The text blocks of the answer. ``stop_reason`` or ``message_stop`` marks its end."""
    return joined(events, _event_reply)


def is_answer(event: Event) -> bool:
    """True for a message and for the events of its stream."""
    return event.get("type") in _EVENTS


def is_request(body: Body) -> bool:
    """True for messages with an Anthropic API version, or with a separate system prompt."""
    return isinstance(body.get("messages"), list) and ("anthropic_version" in body or "system" in body)


def with_system(body: Body, text: str) -> dict[str, Any]:
    """A copy of ``body`` with ``text`` as its system prompt."""
    return {**body, "system": text}


def _event_reply(event: Event) -> Reply:
    if event.get("type") == "message":
        return _block(event.get("content"), ended=string(event.get("stop_reason")) is not None)
    if event.get("type") == "message_stop":
        return Reply("", complete=True)
    if is_object(block := event.get("content_block")):
        return _block([block])
    delta = event.get("delta")
    return Reply(visible_text(at(delta, ("text",))), complete=string(at(delta, ("stop_reason",))) is not None)


def _block(content: object, *, ended: bool = False) -> Reply:
    return Reply(visible_text(content), tools=carries_tools(content), complete=ended)


FORMAT = WireFormat(
    name="anthropic_messages",
    read=read,
    reply=reply,
    is_answer=is_answer,
    call_types=("anthropic_messages",),
    paths=("/messages",),
    is_request=is_request,
    with_system=with_system,
)
