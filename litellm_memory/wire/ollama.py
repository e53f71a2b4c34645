"""Ollama's ``/api/chat`` and ``/api/generate``, through a pass-through route; the answer is newline-delimited JSON."""

from __future__ import annotations

from collections.abc import Iterable

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire import openai_chat, openai_completions
from litellm_memory.wire.content import at
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.reply import joined, visible_text


def read(body: Body) -> Turn | None:
    """The turn of a chat or of a plain prompt; None for anything else."""
    return openai_chat.read(body) if "messages" in body else openai_completions.read(body)


def reply(events: Iterable[Event]) -> Reply:
    """The answer. ``done`` marks its end."""
    return joined(events, _event_reply)


def is_answer(event: Event) -> bool:
    """True for an event that says whether the answer is done."""
    return isinstance(event.get("done"), bool)


def _event_reply(event: Event) -> Reply:
    return Reply(
        text=visible_text(at(event, ("message", "content"))) + visible_text(event.get("response")),
        tools=bool(at(event, ("message", "tool_calls"))),
        complete=event.get("done") is True,
    )


FORMAT = WireFormat(name="ollama", read=read, reply=reply, is_answer=is_answer, paths=("/api/chat", "/api/generate"))
