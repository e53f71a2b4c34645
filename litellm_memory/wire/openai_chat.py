"""OpenAI chat completions: ``messages`` in, ``choices`` out. The format of most clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire.content import chat_messages, is_object, objects, string, turn
from litellm_memory.wire.reply import NOTHING, aloud, joined


def read(body: Body) -> Turn | None:
    """The turn of a chat body; None without a readable message."""
    return turn(body, chat_messages(body))


def reply(events: Iterable[Mapping[str, Any]]) -> Reply:
    """The first choice of the answer. A ``finish_reason`` ends it."""
    return joined(events, _heard)


def is_answer(event: Mapping[str, Any]) -> bool:
    """True for what has ``choices``."""
    return isinstance(event.get("choices"), list)


def _heard(event: Mapping[str, Any]) -> Reply:
    choice = next((choice for choice in objects(event.get("choices")) if choice.get("index") in (None, 0)), None)
    if choice is None:
        return NOTHING
    said = next((said for key in ("delta", "message") if is_object(said := choice.get(key))), {})
    return Reply(
        # Text completions have their text in the choice itself.
        text=aloud(choice.get("text")) + aloud(said.get("content")) + aloud(said.get("refusal")),
        tools=bool(said.get("tool_calls") or said.get("function_call")),
        complete=string(choice.get("finish_reason")) is not None,
    )
