"""From a query to a block: recall, the redaction of what is older than a rule, and the writing of the block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

import numpy as np

from litellm_memory.ledger import TracedMemory
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import Recall, Recollection, Rejected
from litellm_memory.models import Block, BlockStyle, Recalled
from litellm_memory.redact import Redactor
from litellm_memory.render import Format, render


@dataclass(frozen=True, slots=True)
class Look:
    """How a block is written, and for which message."""

    mark: str
    format: Format
    layout: BlockStyle | None = None
    name_projects: bool = False


Question: TypeAlias = tuple[Query, Look, datetime]
"""What is searched for, for which block, and when."""


@dataclass(frozen=True, slots=True)
class FoundBlock:
    """A block, empty when nothing was relevant; and what was considered for it, as a trace has it."""

    block: Block
    candidates: tuple[TracedMemory, ...] = ()
    ahead_ms: float | None = None
    """How long before it was asked for the search had begun; None when it began then."""


class Find(Protocol):
    """Finds what goes into a block."""

    async def __call__(self, query: Query, look: Look, *, now: datetime) -> FoundBlock:
        """Raises LiteLLMMemoryError."""


class Finder:
    """Finds in this process."""

    def __init__(self, redactor: Callable[[], Redactor], recall: Recall) -> None:
        self._redactor = redactor
        self._recall = recall

    async def __call__(self, query: Query, look: Look, *, now: datetime) -> FoundBlock:
        """The block for a query. Raises LiteLLMMemoryError."""
        found = await self._recall(query, now=now)
        return FoundBlock(self._rendered(found, look), _candidates(found))

    def _rendered(self, found: Recollection, look: Look) -> Block:
        # A memory may be older than the rule that recognises a secret in it.
        redactor = self._redactor()
        return render(
            [redactor.recalled(item) for item in found.recalled],
            look.format,
            mark=look.mark,
            layout=look.layout,
            name_projects=look.name_projects,
        )


def _candidates(found: Recollection) -> tuple[TracedMemory, ...]:
    """The recalled memories, then the rejected ones, each by descending score."""
    items: list[tuple[Recalled | Rejected, str | None]] = [(item, None) for item in found.recalled]
    items += [(item, item.reason) for item in found.rejected]
    # Four digits, because a trace holds some hundred such numbers; all at once, because there are so many.
    numbers = np.array([number for item, _ in items for number in (item.score, *item.why.values())], float)
    rounded = iter(numbers.round(4).tolist())
    return tuple(
        TracedMemory(item.memory.id, next(rounded), {name: next(rounded) for name in item.why}, reason)
        for item, reason in items
    )
