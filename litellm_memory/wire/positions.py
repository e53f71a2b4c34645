"""The other positions of a block: at the start of the system prompt, in the first message, or before the last one.

Each changes a part of the prompt that the provider has cached; the default position, ``turn``, does not.
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
"""The start of the text that has to stay Claude Code's first system block."""


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
    """The first text of the system prompt that a block may be put before; None without a system prompt."""
    leading = takewhile(lambda message: message.role == "system", turn.messages)
    texts = (text for message in leading for text in message.texts)
    return next((text.place for text in texts if not text.text.startswith(BILLING)), None)
