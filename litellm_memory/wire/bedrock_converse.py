"""Bedrock Converse, and Amazon Nova's bodies of the same shape: parts are recognised by their key, not by a type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire import anthropic_messages
from litellm_memory.wire.content import at, carries_tools, is_object, string
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.reply import joined, visible_text

_EVENTS = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
)


def read(body: Body) -> Turn | None:
    """The turn of a converse body; None without a readable message."""
    return anthropic_messages.read(body)


def reply(events: Iterable[Event]) -> Reply:
    """The answer; each event of a stream is ``{name: event}``. ``stopReason`` marks its end."""
    return joined(events, _event_reply)


def is_answer(event: Event) -> bool:
    """True for a converse answer and for the events of its stream."""
    return is_object(at(event, ("output", "message"))) or any(is_object(event.get(name)) for name in _EVENTS)


def is_request(body: Body) -> bool:
    """True for messages with one of Converse's own settings objects."""
    return isinstance(body.get("messages"), list) and ("inferenceConfig" in body or "toolConfig" in body)


def with_system(body: Body, text: str) -> dict[str, Any]:
    """A copy of ``body`` with ``text`` as its system prompt."""
    return {**body, "system": [{"text": text}]}


def _event_reply(event: Event) -> Reply:
    content = at(event, ("output", "message", "content"))
    started = at(event, ("contentBlockStart", "start"))
    ended = string(event.get("stopReason")) or string(at(event, ("messageStop", "stopReason")))
    return Reply(
        text=visible_text(content) + visible_text(at(event, ("contentBlockDelta", "delta", "text"))),
        tools=carries_tools(content) or carries_tools(started),
        complete=ended is not None,
    )


FORMAT = WireFormat(
    name="bedrock_converse",
    read=read,
    reply=reply,
    is_answer=is_answer,
    paths=("/converse", "/converse-stream"),
    is_request=is_request,
    with_system=with_system,
)
