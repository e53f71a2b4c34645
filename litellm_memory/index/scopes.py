"""An LRU cache of per-user indexes, capped by bytes and loaded in the background.

While an index is loading, or when it is larger than the cap, the loaded part is searched, and the store's own results
for each query are added to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from litellm_memory.errors import StoreError
from litellm_memory.index.ranking import Floats
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.models import Memory, namespace
from litellm_memory.store import Store
from litellm_memory.text.words import words

logger = logging.getLogger(__name__)

MAX_BYTES = 300 * 2**20
"""Enough for one scope of 100,000 memories, the default limit of a scope."""
NEAREST_FROM_STORE, HOLDING_FROM_STORE = 30, 60
"""How many memories the store is asked for by vector and by words: adding each to RAM takes about 0.1 ms."""
LONGEST_WORDS = 3
"""The store is asked for the longest words of a query: as a rule they are the rarest."""


@dataclass(slots=True)
class _Scope:
    """One scope in RAM. ``changes`` counts refreshes, so that a stale read is not added after one."""

    partition: str
    user: str
    index: ScopeIndex
    is_complete: bool = False
    changes: int = 0


class ScopeIndexes:
    """The cached indexes. ``store`` gives the store that they are loaded from; ``searched``: as in ``ScopeIndex``."""

    def __init__(self, store: Callable[[], Store], *, max_bytes: int = MAX_BYTES, searched: bool = True) -> None:
        self._store = store
        self._searched = searched
        self._max_bytes = max_bytes
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()
        self._loading: dict[str, asyncio.Task[None]] = {}

    @property
    def nbytes(self) -> int:
        """Approximate size of all indexes in bytes."""
        return sum(scope.index.nbytes for scope in self._scopes.values())

    @property
    def max_bytes(self) -> int:
        """The cap: above it the least recently used index is evicted."""
        return self._max_bytes

    def complete(self, partition: str, user: str) -> ScopeIndex | None:
        """The index of one user of a partition when all of it is loaded; else None."""
        name = namespace(partition, user)
        scope = self._scopes.get(name)
        if scope is None or not scope.is_complete:
            return None
        self._scopes.move_to_end(name)
        return scope.index

    def complete_or_start_load(self, partition: str, user: str) -> ScopeIndex | None:
        """The index of one user of a partition when all of it is loaded; else None, and its load is started."""
        self._touch(namespace(partition, user), partition, user)
        return self.complete(partition, user)

    async def load(self, partition: str, user: str) -> ScopeIndex:
        """The index of one user of a partition once it is loaded; of a scope above the cap, the newest memories.

        Cancelling the wait does not cancel the load.
        """
        name = namespace(partition, user)
        scope = self._touch(name, partition, user)
        if (loading := self._loading.get(name)) is not None:
            await asyncio.shield(loading)
        return scope.index

    async def add_from_store(
        self, partition: str, user: str, *, vector: Floats | None, text: str, seconds: float
    ) -> ScopeIndex:
        """The loaded part of one user's index, after adding what the store finds for a query within ``seconds``."""
        name = namespace(partition, user)
        scope = self._touch(name, partition, user)
        before, loading, store = scope.changes, self._loading.get(name), self._store()
        asked = [] if vector is None else [store.nearest(partition, user, vector, NEAREST_FROM_STORE)]
        # Chroma scans all texts to find words, which would slow down a load.
        if loading is None and (said := _longest(text)):
            asked.append(store.holding(partition, user, said, HOLDING_FROM_STORE))
        try:
            async with asyncio.timeout(seconds):
                found = await asyncio.gather(*asked)
        except (StoreError, TimeoutError) as error:
            logger.debug("The store found nothing for a query: %s", type(error).__name__)
            found = []
        if not found and loading is not None:
            # Wait for the load, or raise its error: a scope that was never read must not look empty.
            await asyncio.shield(loading)
        # If the scope was refreshed meanwhile, the results may be stale.
        if found and scope.changes == before:
            await asyncio.to_thread(scope.index.add, chain.from_iterable(found))
        if scope.index.nbytes > self._max_bytes and not scope.is_complete and name not in self._loading:
            # The results of queries have filled it up to the cap: the next query reloads it.
            self._scopes.pop(name, None)
        return scope.index

    async def refresh(self, changed: Iterable[tuple[str, str]]) -> None:
        """Reloads changed memories, given as (namespace, memory id). Namespaces that are not cached are skipped."""
        by_namespace: dict[str, set[str]] = {}
        for name, memory_id in changed:
            by_namespace.setdefault(name, set()).add(memory_id)
        for name in by_namespace:
            if (loading := self._loading.get(name)) is not None:
                await asyncio.wait([loading])
        cached = {name: self._scopes[name] for name in by_namespace if name in self._scopes}
        # One read for all users of a partition: the store takes as long for one memory as for some dozens.
        for partition in {scope.partition for scope in cached.values()}:
            ids = {name: by_namespace[name] for name, scope in cached.items() if scope.partition == partition}
            entries = await self._store().get(partition, sorted(set().union(*ids.values())), vectors=self._searched)
            for name, changed_ids in ids.items():
                own = [entry for entry in entries if entry.memory.namespace == name and entry.memory.id in changed_ids]
                cached[name].changes += 1
                cached[name].index.put(own)
                cached[name].index.drop(changed_ids - {entry.memory.id for entry in own})

    def unembedded(self, limit: int, *, without: Collection[str]) -> list[Memory]:
        """At most ``limit`` cached memories without a vector, except those with the ids in ``without``."""
        missing = (memory for scope in self._scopes.values() for memory in scope.index.unembedded())
        return list(islice((memory for memory in missing if memory.id not in without), limit))

    async def aclose(self) -> None:
        """Cancels the loads."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def _touch(self, name: str, partition: str, user: str) -> _Scope:
        """Marks the scope as the most recently used and returns it; starts its load when it is not cached."""
        if name not in self._scopes:
            scope = self._scopes[name] = _Scope(partition, user, self._empty())
            self._loading[name] = task = asyncio.create_task(self._load(name, scope))
            # Retrieves the exception: otherwise asyncio warns when nobody is waiting.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._scopes.move_to_end(name)
        return self._scopes[name]

    def _empty(self) -> ScopeIndex:
        return ScopeIndex(self._store().dimension, searched=self._searched)

    async def _load(self, name: str, scope: _Scope) -> None:
        store = self._store()
        try:
            ids = await store.ids(scope.partition, scope.user)
            fitting = self._newest_that_fit(ids, scope.index)
            async for page in store.read(scope.partition, fitting, user=scope.user, vectors=self._searched):
                await asyncio.to_thread(scope.index.put, page)
            await asyncio.to_thread(scope.index.prepare)
            scope.is_complete = len(fitting) == len(ids)
        except BaseException:  # Cancellation too: the next query must not find a half-loaded index.
            self._scopes.pop(name, None)
            raise
        finally:
            del self._loading[name]
        self._evict()

    def _newest_that_fit(self, ids: Sequence[str], index: ScopeIndex) -> Sequence[str]:
        """All ids if they fit under the cap; else the newest, leaving a quarter of the cap for what queries add."""
        fitting = self._max_bytes // index.bytes_per_memory
        return ids if len(ids) <= fitting else ids[-(fitting * 3 // 4) :]

    def _evict(self) -> None:
        total = self.nbytes
        for name in [name for name in self._scopes if name not in self._loading][:-1]:
            if total <= self._max_bytes:
                return
            total -= self._scopes.pop(name).index.nbytes


def _longest(text: str) -> list[str]:
    return sorted(set(words(text)), key=lambda word: (-len(word), word))[:LONGEST_WORDS]
