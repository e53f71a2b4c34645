"""What other processes changed, read into the indexes of this one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.index.scopes import ScopeIndexes
from litellm_memory.ledger import Ledger


class Following:
    """Keeps ``indexes`` as the ledger's changes say; whoever was told of a change finds it in the next search."""

    def __init__(self, ledger: Ledger, indexes: Callable[[], ScopeIndexes]) -> None:
        self._ledger = ledger
        self._watch = ledger.database.watch()
        self._indexes = indexes
        self._newest = 0
        self._own: set[int] = set()
        """Numbers of this process's own changes, which are already in its RAM."""
        self._reading = asyncio.Lock()
        """Who looks while another reads must wait: the look alone says no more that there is something."""
        self._behind = False
        self._told = self._seen = 0
        """How often something was told, and how much of that a reading has seen."""

    async def begin(self) -> None:
        """From now on, before the indexes are loaded. Raises LedgerError."""
        self._newest = await self._ledger.changes.newest()

    def skip(self, numbers: Iterable[int]) -> None:
        """These changes are this process's own."""
        self._own.update(numbers)

    def told(self) -> None:
        """Something has changed: ``current`` reads it, unless somebody does before."""
        self._told += 1

    def whole(self, partition: str, user: str) -> ScopeIndex | None:
        """All memories of one user, when they are loaded and all that was told is read; else None."""
        return self._indexes().complete(partition, user) if self._seen >= self._told else None

    async def current(self, seconds: float) -> None:
        """Returns once all that was told is read, or cannot be now, or after ``seconds``."""
        if self._seen < self._told:
            with suppress(TimeoutError, LiteLLMMemoryError):
                async with asyncio.timeout(seconds):
                    # Half of it would be read again.
                    await asyncio.shield(asyncio.create_task(self.read()))

    async def read(self) -> None:
        """Reads what was written since the last call. Raises StoreError and LedgerError; then the next call does."""
        async with self._reading:
            told = self._told
            try:
                if self._watch.has_changed():
                    await self._read()
                    self._watch.read()
            finally:
                self._seen = told

    async def _read(self) -> None:
        changed = await self._ledger.changes.since(self._newest)
        if changed:
            await self._indexes().refresh(
                (namespace, memory) for number, namespace, memory in changed if number not in self._own
            )
            self._newest = changed[-1][0]
            self._own = {number for number in self._own if number > self._newest}
