"""An LRU cache of per-user indexes, capped by bytes and loaded in the background.

While an index is loading, or when it is larger than the cap, what is loaded of it is searched, and the store adds what
it finds for each query.
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
"""Memories that the store is asked for by vector and by words: each takes about 0.1 ms until it is in RAM."""
LONGEST_WORDS = 3
"""The store is asked for the longest words of a query: as a rule they are the rarest."""


@dataclass(slots=True)
class _Scope:
    """One scope in RAM. ``changes`` counts refreshes, so that what was read before one is not put in after it."""

    partition: str
    user: str
    index: ScopeIndex
    whole: bool = False
    changes: int = 0


class ScopeIndexes:
    """The cached indexes. ``store`` gives the store that they are loaded from."""

    def __init__(self, store: Callable[[], Store], *, max_bytes: int = MAX_BYTES) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()
        self._loading: dict[str, asyncio.Task[None]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all indexes, about."""
        return sum(scope.index.nbytes for scope in self._scopes.values())

    @property
    def max_bytes(self) -> int:
        """The cap: above it the least recently used index is evicted."""
        return self._max_bytes

    def whole(self, partition: str, user: str) -> ScopeIndex | None:
        """The index of one user of a partition, if it is loaded whole; otherwise None, and its load is started."""
        scope = self._touched(namespace(partition, user), partition, user)
        return scope.index if scope.whole else None

    async def of(self, partition: str, user: str) -> ScopeIndex:
        """The index of one user of a partition once it is loaded; of a scope above the cap, the newest memories.

        Cancelling the wait does not cancel the load.
        """
        name = namespace(partition, user)
        scope = self._touched(name, partition, user)
        if (loading := self._loading.get(name)) is not None:
            await asyncio.shield(loading)
        return scope.index

    async def widened(
        self, partition: str, user: str, *, vector: Floats | None, text: str, seconds: float
    ) -> ScopeIndex:
        """What is loaded of one user's memories, with those that the store finds for a query within ``seconds``."""
        name = namespace(partition, user)
        scope = self._touched(name, partition, user)
        before, loading, store = scope.changes, self._loading.get(name), self._store()
        asked = [] if vector is None else [store.nearest(partition, user, vector, NEAREST_FROM_STORE)]
        # Chroma reads all texts to find words, which would delay a load.
        if loading is None and (said := _longest(text)):
            asked.append(store.holding(partition, user, said, HOLDING_FROM_STORE))
        try:
            async with asyncio.timeout(seconds):
                found = await asyncio.gather(*asked)
        except (StoreError, TimeoutError) as error:
            logger.debug("The store found nothing for a query: %s", type(error).__name__)
            found = []
        if not found and loading is not None:
            # Nothing is known yet, even if the load has failed meanwhile: the scope must not look empty.
            await asyncio.shield(loading)
        # What changed meanwhile may be newer than what was read.
        if found and scope.changes == before:
            await asyncio.to_thread(scope.index.add, chain.from_iterable(found))
        if scope.index.nbytes > self._max_bytes and not scope.whole and name not in self._loading:
            # Queries have filled it: the next one loads it anew.
            self._scopes.pop(name, None)
        return scope.index

    async def refresh(self, changed: Iterable[tuple[str, str]]) -> None:
        """Reloads what changed: (namespace, memory id) pairs. Namespaces that are not cached are skipped."""
        by_namespace: dict[str, set[str]] = {}
        for name, memory_id in changed:
            by_namespace.setdefault(name, set()).add(memory_id)
        for name, ids in by_namespace.items():
            if (loading := self._loading.get(name)) is not None:
                await asyncio.wait([loading])
            if (scope := self._scopes.get(name)) is not None:
                entries = await self._store().get(scope.partition, sorted(ids))
                own = [entry for entry in entries if entry.memory.namespace == name]
                scope.changes += 1
                scope.index.put(own)
                scope.index.drop(ids - {entry.memory.id for entry in own})

    def unembedded(self, limit: int, *, without: Collection[str]) -> list[Memory]:
        """Up to ``limit`` cached memories that have no vector, except those with the ids in ``without``."""
        missing = (memory for scope in self._scopes.values() for memory in scope.index.unembedded())
        return list(islice((memory for memory in missing if memory.id not in without), limit))

    async def aclose(self) -> None:
        """Cancels the loads."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def _touched(self, name: str, partition: str, user: str) -> _Scope:
        """The scope, marked as the most recently used; its load is started when it is not cached."""
        if name not in self._scopes:
            scope = self._scopes[name] = _Scope(partition, user, ScopeIndex(self._store().dimension))
            self._loading[name] = task = asyncio.create_task(self._load(name, scope))
            # asyncio warns of an exception that nobody retrieves, and nobody may be waiting.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._scopes.move_to_end(name)
        return self._scopes[name]

    async def _load(self, name: str, scope: _Scope) -> None:
        store = self._store()
        try:
            ids = await store.ids(scope.partition, scope.user)
            fitting = self._newest_that_fit(ids, scope.index)
            async for page in store.read(scope.partition, fitting, user=scope.user):
                await asyncio.to_thread(scope.index.put, page)
            await asyncio.to_thread(scope.index.prepare)
            scope.whole = len(fitting) == len(ids)
        except BaseException:  # Cancelled too: the next query must not find what is half loaded.
            self._scopes.pop(name, None)
            raise
        finally:
            del self._loading[name]
        self._evict()

    def _newest_that_fit(self, ids: Sequence[str], index: ScopeIndex) -> Sequence[str]:
        """All ids if they fit under the cap; else the newest, which leave a quarter of it to what queries add."""
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
