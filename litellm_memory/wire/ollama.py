"""Ollama's own ``/api/chat`` and ``/api/generate`` behind a pass-through route: lines of JSON come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire import openai_chat, openai_completions
from litellm_memory.wire.content import at
from litellm_memory.wire.reply import aloud, joined


def read(body: Body) -> Turn | None:
    """The turn of a chat or of a plain prompt; None for anything else."""
    return openai_chat.read(body) if "messages" in body else openai_completions.read(body)


def reply(events: Iterable[Mapping[str, Any]]) -> Reply:
    """The answer. ``done`` ends it."""
    return joined(events, _heard)


def is_answer(event: Mapping[str, Any]) -> bool:
    """True for what says whether it is done."""
    return isinstance(event.get("done"), bool)


def _heard(event: Mapping[str, Any]) -> Reply:
    return Reply(
        text=aloud(at(event, ("message", "content"))) + aloud(event.get("response")),
        tools=bool(at(event, ("message", "tool_calls"))),
        complete=event.get("done") is True,
    )
