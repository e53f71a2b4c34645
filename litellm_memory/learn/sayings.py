"""Whether what was said is to be learned: said anew after it was forgotten, sent again, or in a paused conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from litellm_memory.extract import commands_in
from litellm_memory.ledger import Ledger, Saying
from litellm_memory.models import Exchange

SAID_AGAIN: Final = "it was said before, and forgotten since"
UNLEARNED: Final[dict[Saying, str]] = {
    "over": "it was forgotten after it was said",
    "repeated": "it was forgotten, and is sent again",
    "paused": "the person wished that this conversation is not remembered",
}
"""Why nothing is learned of an exchange, by what its saying is."""


async def sayings_of(ledger: Ledger, exchanges: Sequence[Exchange]) -> list[Saying]:
    """What each exchange is as a saying, oldest first; a wish to pause holds for its conversation from there on."""
    sayings = await ledger.sayings.judged(exchanges)
    wishes = await asyncio.to_thread(lambda: [commands_in(exchange) for exchange in exchanges])
    paused: set[tuple[str, str]] = set()
    for place, (exchange, wished) in enumerate(zip(exchanges, wishes, strict=True)):
        asks = any(wish.action == "pause" for wish in wished)
        before = {(exchange.scope.namespace, exchange.before or ""), *_names(exchange)}
        if asks or sayings[place] == "paused" or before & paused:
            sayings[place] = "paused"
            paused |= _names(exchange)
    return sayings


def _names(exchange: Exchange) -> set[tuple[str, str]]:
    """What later exchanges of the conversation name it by: this message, and the session where there is one."""
    session = f"session {exchange.scope.session}" if exchange.scope.session else ""
    return {(exchange.scope.namespace, name) for name in (exchange.mark, session) if name}
