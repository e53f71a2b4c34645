"""Conversations of the past taken into the journal, from which they are learned as those of today are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from litellm_memory.engine.engine import Engine
from litellm_memory.learn.making import memories_of
from litellm_memory.models import Exchange, Memory
from litellm_memory.request.past import Heard


@dataclass(slots=True)
class Taken:
    """What became of the person's messages, and whose they are."""

    taken: int = 0
    known: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    owners: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many of the messages that are new, by partition and user."""
    memories: list[Memory] = field(default_factory=list)
    """In a dry run: what would be learned from them, redacted, before it is compared with what is known."""


async def take(engine: Engine, heard: Sequence[Heard], *, dry: bool) -> Taken:
    """Appends what is new to the journal; with ``dry`` nothing. Returns once the ledger has it. Raises LedgerError.

    A message that was learned from, in an import or when it was said, is known.
    """
    result = Taken()
    exchanges: dict[str, Exchange] = {}
    for one in heard:
        result.left_out += one.left_out
        exchanges |= {exchange.mark: exchange for exchange in one.exchanges}
    known = await engine.ledger.sayings.heard([*exchanges])
    new = [exchange for mark, exchange in exchanges.items() if mark not in known]
    result.known = sum(len(one.exchanges) for one in heard) - len(new)
    result.taken = len(new)
    result.owners = Counter((one.scope.partition, one.scope.user) for one in new)
    if dry:
        for exchange in new:
            result.memories += await asyncio.to_thread(_memories, engine, exchange)
        return result
    for exchange in new:
        engine.journal.accept(exchange)
        engine.journal.answered(exchange.mark, exchange.reply)
    # What is said meanwhile does not wait behind all of an import: the next part of it comes when this one was read.
    await engine.ledger.caught_up()
    return result


def _memories(engine: Engine, exchange: Exchange) -> list[Memory]:
    found = memories_of(exchange, engine.settings.learn, engine.ledger.key).memories
    return [engine.redactor.memory(memory) for memory in found]
