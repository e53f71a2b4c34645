"""The non-default positions of a block: in the system prompt, in the first message, or before the last one.

Each invalidates a part of the provider's prompt cache; the default position, ``turn``, does not.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from litellm_memory.models import Body, Place, Position, Turn
from litellm_memory.wire.format import WireFormat
from litellm_memory.wire.inject import with_block

SEPARATOR = "\n\n---"
"""Separates a block from the text after it in ``first_user``."""
BILLING = "x-anthropic-billing-header"
"""The start of a text that must remain Claude Code's first system block."""


def with_block_at(
    body: Body, format: WireFormat, turn: Turn, position: Position, block: str, *, first: Place, last: Place
) -> dict[str, Any]:
    """``body`` with ``block`` at ``position``. ``first``, ``last``: places of the person's first and last message.

    In a format without that position, the block goes directly before the last message's text.
    """
    if position == "system":
        place = _system_place(turn)
        if place is not None:
            return with_block(body, place, block)
        if format.with_system is not None:
            return format.with_system(body, block)
    if position == "first_user":
        return with_block(body, first, block + SEPARATOR)
    if position == "before_last" and last[0] == format.message_list and len(last) > 1:
        key, index = format.message_list, last[1]
        messages = body[key]
        return {**body, key: [*messages[:index], {"role": "system", "content": block}, *messages[index:]]}
    return with_block(body, last, block)


def _system_place(turn: Turn) -> Place | None:
    """The place of the first system text that may follow a block; None without a system prompt."""
    leading = takewhile(lambda message: message.role == "system", turn.messages)
    texts = (text for message in leading for text in message.texts)
    return next((text.place for text in texts if not text.text.startswith(BILLING)), None)
