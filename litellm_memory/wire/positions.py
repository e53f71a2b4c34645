"""Where else a block may stand: at the head of the system prompt, in the first message, or before the last one.

Each moves what the provider has cached: ``turn`` is the one position that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

from litellm_memory.models import Body, Place, Position, Turn
from litellm_memory.wire import anthropic_messages, bedrock_converse, gemini_contents, openai_chat, openai_responses
from litellm_memory.wire.format import WireFormat
from litellm_memory.wire.inject import with_block

SEPARATOR = "\n\n---"
"""Stands between a block and the text after it in ``first_user``."""
BILLING = "x-anthropic-billing-header"
"""How the text begins that has to stay Claude Code's first system block."""


def with_block_at(
    body: Body, format: WireFormat, turn: Turn, position: Position, block: str, *, first: Place, last: Place
) -> dict[str, Any]:
    """``body`` with ``block`` at ``position``. ``first``, ``last``: the person's first and last message.

    A format that has no such position gets the block directly before the last message's text.
    """
    if position == "system":
        place = _system_place(turn)
        if place is not None:
            return with_block(body, place, block)
        if added := NEW_SYSTEM.get(_name(format)):
            return added(body, block)
    if position == "first_user":
        return with_block(body, first, block + SEPARATOR)
    if position == "before_last" and (key := MESSAGES.get(_name(format))) and last[0] == key and len(last) > 1:
        return _inserted(body, key, last[1], {"role": "system", "content": block})
    return with_block(body, last, block)


def _system_place(turn: Turn) -> Place | None:
    """The first text of the system prompt that a block may stand before; None without a system prompt."""
    leading = takewhile(lambda message: message.role == "system", turn.messages)
    texts = (text for message in leading for text in message.texts)
    return next((text.place for text in texts if not text.text.startswith(BILLING)), None)


def _inserted(body: Body, key: str, index: Any, message: Mapping[str, Any]) -> dict[str, Any]:
    messages = body[key]
    return {**body, key: [*messages[:index], message, *messages[index:]]}


def _before_messages(key: str) -> Callable[[Body, str], dict[str, Any]]:
    def added(body: Body, block: str) -> dict[str, Any]:
        return _inserted(body, key, 0, {"role": "system", "content": block})

    return added


def _name(format: WireFormat) -> str:
    return str(getattr(format, "__name__", ""))


MESSAGES: Mapping[str, str] = {openai_chat.__name__: "messages", openai_responses.__name__: "input"}
"""The formats whose list of messages may hold a system message anywhere, and the list's key."""

NEW_SYSTEM: Mapping[str, Callable[[Body, str], dict[str, Any]]] = {
    openai_chat.__name__: _before_messages("messages"),
    openai_responses.__name__: lambda body, block: {**body, "instructions": block},
    anthropic_messages.__name__: lambda body, block: {**body, "system": block},
    gemini_contents.__name__: lambda body, block: {**body, "systemInstruction": {"parts": [{"text": block}]}},
    bedrock_converse.__name__: lambda body, block: {**body, "system": [{"text": block}]},
}
"""How a format gets a system prompt that has none."""
