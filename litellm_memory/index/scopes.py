"""Which scopes' memories are in RAM: loaded beside the requests, the longest unused leaving first under a cap of bytes.

A scope that is still being loaded, or too large for the cap, is searched in what is there of it, widened by what the
store finds for each query.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from litellm_memory.errors import StoreError
from litellm_memory.index.scope import Floats, ScopeIndex
from litellm_memory.models import Memory, namespace
from litellm_memory.store import Store
from litellm_memory.text.words import words

MAX_BYTES = 300 * 2**20
"""Room for one scope of 100,000 memories, the most that one is let grow to by default."""
NEAREST = 30
"""Memories that the store is asked for by vector: each costs some 0.1 ms until it is in RAM."""
HOLDING = 60
"""The same by words."""
WORDS = 3
"""The longest words of a query, which are the rarest as a rule."""


@dataclass(slots=True)
class _Scope:
    """One scope in RAM. ``changes`` counts what was taken in, so that older readings are told from newer ones."""

    partition: str
    user: str
    index: ScopeIndex
    whole: bool = False
    changes: int = 0


class ScopeIndexes:
    """The indexes in use, on the store that ``store`` gives."""

    def __init__(self, store: Callable[[], Store], *, max_bytes: int = MAX_BYTES) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()
        self._loading: dict[str, asyncio.Task[None]] = {}

    @property
    def weight(self) -> int:
        """Bytes of all indexes, about."""
        return sum(scope.index.weight for scope in self._scopes.values())

    @property
    def max_bytes(self) -> int:
        """Bytes from which on the longest unused index leaves."""
        return self._max_bytes

    def whole(self, partition: str, user: str) -> ScopeIndex | None:
        """The index of one user of a partition, if all of it is in RAM; its load begins otherwise."""
        scope = self._touched(namespace(partition, user), partition, user)
        return scope.index if scope.whole else None

    async def of(self, partition: str, user: str) -> ScopeIndex:
        """The index of one user of a partition, with all that is to be loaded; of a scope too large, the newest.

        A caller that gives up waiting does not stop the load: the next one finds it done.
        """
        name = namespace(partition, user)
        scope = self._touched(name, partition, user)
        if (loading := self._loading.get(name)) is not None:
            await asyncio.shield(loading)
        return scope.index

    async def widened(
        self, partition: str, user: str, *, vector: Floats | None, text: str, seconds: float
    ) -> ScopeIndex:
        """What is in RAM of one user's memories, with those that the store finds for a query within ``seconds``."""
        name = namespace(partition, user)
        scope = self._touched(name, partition, user)
        before, loading, store = scope.changes, self._loading.get(name), self._store()
        asked = [] if vector is None else [store.nearest(partition, user, vector, NEAREST)]
        # Chroma reads all texts to find words, which would only hold up a load.
        if loading is None and (said := _longest(text)):
            asked.append(store.holding(partition, user, said, HOLDING))
        try:
            async with asyncio.timeout(seconds):
                found = await asyncio.gather(*asked)
        except (StoreError, TimeoutError):
            found = []
        if not found and loading is not None:
            # There is nothing to go by yet, also when the load failed meanwhile: that must not pass for a scope that
            # holds nothing.
            await asyncio.shield(loading)
        # What changed meanwhile may be newer than what was read.
        if found and scope.changes == before:
            await asyncio.to_thread(scope.index.add, chain.from_iterable(found))
        if scope.index.weight > self._max_bytes and not scope.whole and name not in self._loading:
            # Full of what queries brought: it is loaded anew.
            self._scopes.pop(name, None)
        return scope.index

    async def refresh(self, changed: Iterable[tuple[str, str]]) -> None:
        """Reads again what changed: (namespace, memory id) pairs. Namespaces that are not in RAM are passed over."""
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
        """Up to ``limit`` memories in RAM that have no vector, ``without`` those of these ids."""
        missing = (memory for scope in self._scopes.values() for memory in scope.index.unembedded())
        return list(islice((memory for memory in missing if memory.id not in without), limit))

    async def aclose(self) -> None:
        """Ends the loads that are under way."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def _touched(self, name: str, partition: str, user: str) -> _Scope:
        """The scope as the last used one; its load begins when it is not in RAM."""
        if name not in self._scopes:
            scope = self._scopes[name] = _Scope(partition, user, ScopeIndex(self._store().dimension))
            self._loading[name] = task = asyncio.create_task(self._load(name, scope))
            # A failure that nobody waits for is still looked at.
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
        except BaseException:
            self._scopes.pop(name, None)
            raise
        finally:
            del self._loading[name]
        self._evict()

    def _newest_that_fit(self, ids: Sequence[str], index: ScopeIndex) -> Sequence[str]:
        """All ids, or the newest that leave a quarter of the cap to what queries bring."""
        fitting = self._max_bytes // index.bytes_a_memory
        return ids if len(ids) <= fitting else ids[-(fitting * 3 // 4) :]

    def _evict(self) -> None:
        weight = self.weight
        for name in [name for name in self._scopes if name not in self._loading][:-1]:
            if weight <= self._max_bytes:
                return
            weight -= self._scopes.pop(name).index.weight


def _longest(text: str) -> list[str]:
    return sorted(set(words(text)), key=lambda word: (-len(word), word))[:WORDS]
