"""How often memories are used: counted in RAM, written to the store in small batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from litellm_memory.errors import StoreError
from litellm_memory.store import Store

USES_AT_ONCE = 32
"""Memories per batch: the store answers no other call while it writes one, about a millisecond for each."""


class Uses:
    """The uses that are not written yet. ``store`` returns the open store."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._counts: Counter[str] = Counter()

    def note(self, memories: Iterable[str]) -> None:
        """Counts one use of each of these memories, by id; ``write`` makes it durable."""
        self._counts.update(memories)

    @property
    def are_few(self) -> bool:
        """True when one batch holds all that wait."""
        return len(self._counts) <= USES_AT_ONCE

    async def write(self) -> None:
        """Writes one batch of uses, oldest first; a batch that fails is kept for the next call. Raises StoreError."""
        uses = {memory: self._counts.pop(memory) for memory in list(islice(self._counts, USES_AT_ONCE))}
        if not uses:
            return
        try:
            await self._store().touch(uses, datetime.now(UTC))
        except StoreError:
            self._counts.update(uses)
            raise
