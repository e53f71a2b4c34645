"""One user's memories in RAM: exact vectors and BM25 words. What the hot path searches; filled from the store."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from litellm_memory.models import Memory, namespace
from litellm_memory.store import Entry, Store
from litellm_memory.words import words

Floats = NDArray[np.float32]

# The usual constants of BM25 (Robertson and Zaragoza 2009); 0.75 of the length is normalised.
K1, B = 1.2, 0.75
OBJECT_BYTES = 2048
"""What one memory weighs in RAM beside its vector and its text: objects and postings, measured on short texts."""


@dataclass(frozen=True, slots=True)
class Scores:
    """For each memory of an index, by position: cosine to the query, and the share (0 to 1) of its words' weight."""

    dense: Floats
    words: Floats


class ScopeIndex:
    """The memories of one namespace. Positions of dropped memories stay empty until the index is loaded again.

    Threads may search and change it at once: searches run in a thread, changes come from the event loop.
    """

    def __init__(self, dimension: int) -> None:
        self._lock = threading.Lock()
        self._memories: list[Memory | None] = []
        self._positions: dict[str, int] = {}
        self._vectors: Floats = np.zeros((0, dimension), np.float32)
        self._lengths: Floats = np.zeros(0, np.float32)
        self._postings: dict[str, dict[int, int]] = {}
        self._wishes: dict[str, Memory] = {}
        self._unembedded: dict[str, Memory] = {}
        self._total_length = 0
        self.text_bytes = 0

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def weight(self) -> int:
        """Bytes that this index holds, about."""
        return self._vectors.nbytes + self.text_bytes + OBJECT_BYTES * len(self._memories)

    def standing_wishes(self) -> list[Memory]:
        """The instructions among the memories: they are recalled whatever is asked."""
        with self._lock:
            return list(self._wishes.values())

    def all(self) -> list[Memory]:
        """Every memory, in the order in which they came."""
        with self._lock:
            return [memory for memory in self._memories if memory is not None]

    def unembedded(self) -> list[Memory]:
        """The memories that have no vector: they were kept while there was no model, or while it failed."""
        with self._lock:
            return list(self._unembedded.values())

    def at(self, position: int) -> Memory | None:
        """The memory at a position of Scores; None where one was dropped."""
        return self._memories[position]

    def put(self, entries: Iterable[Entry]) -> None:
        """Adds memories, in place of those with the same id."""
        for entry in entries:
            with self._lock:
                self._drop(entry.memory.id)
                self._append(entry)

    def drop(self, ids: Iterable[str]) -> None:
        """Takes memories out; unknown ids are passed over."""
        for memory_id in ids:
            with self._lock:
                self._drop(memory_id)

    def scores(self, vector: Floats | None, query: str) -> Scores:
        """How near every position is to the query; without a vector the dense scores are 0. Arithmetic only."""
        with self._lock:
            size = len(self._memories)
            # Not `@`: BLAS starts threads for it, which spin and take ten times the processor.
            dense = (
                np.einsum("ij,j->i", self._vectors[:size], vector) if vector is not None else np.zeros(size, np.float32)
            )
            return Scores(dense, self._word_scores(words(query), size))

    def _word_scores(self, query: Sequence[str], size: int) -> Floats:
        """BM25 as a share of the weight of the query's words, so that it means the same in every scope.

        1 is a memory of middling length that has each word of the query once.
        """
        scores = np.zeros(size, np.float32)
        count = len(self._positions)
        if not count or not query:
            return scores
        mean = max(self._total_length / count, 1.0)
        slowing = K1 * (1 - B + B * self._lengths[:size] / mean)
        whole = 0.0
        for word in set(query):
            postings = self._postings.get(word, {})
            weight = math.log(1 + (count - len(postings) + 0.5) / (len(postings) + 0.5))
            whole += weight
            if postings:
                positions = np.fromiter(postings.keys(), np.int64, len(postings))
                times = np.fromiter(postings.values(), np.float32, len(postings))
                scores[positions] += weight * times * (K1 + 1) / (times + slowing[positions])
        shares: Floats = np.minimum(scores / whole, 1)
        return shares

    def _drop(self, memory_id: str) -> None:
        position = self._positions.pop(memory_id, None)
        if position is None:
            return
        self._wishes.pop(memory_id, None)
        self._unembedded.pop(memory_id, None)
        memory = self._memories[position]
        assert memory is not None
        for word in set(words(memory.text)):
            self._postings[word].pop(position, None)
        self._total_length -= int(self._lengths[position])
        self.text_bytes -= len(memory.text)
        self._memories[position] = None
        self._vectors[position] = 0

    def _append(self, entry: Entry) -> None:
        position = len(self._memories)
        if position == len(self._vectors):
            grown = max(16, position)
            self._vectors = np.pad(self._vectors, ((0, grown), (0, 0)))
            self._lengths = np.pad(self._lengths, (0, grown))
        if entry.vector is None:
            self._unembedded[entry.memory.id] = entry.memory
        else:
            self._vectors[position] = entry.vector
        counts = Counter(words(entry.memory.text))
        for word, times in counts.items():
            self._postings.setdefault(word, {})[position] = times
        self._memories.append(entry.memory)
        if entry.memory.kind == "instruction":
            self._wishes[entry.memory.id] = entry.memory
        self._positions[entry.memory.id] = position
        self._lengths[position] = counts.total()
        self._total_length += counts.total()
        self.text_bytes += len(entry.memory.text)


class ScopeIndexes:
    """The indexes in use, the longest unused leaving first when they outgrow ``max_bytes``."""

    def __init__(self, store: Callable[[], Store], *, dimension: int, max_bytes: int = 256 * 2**20) -> None:
        self._store = store
        self._dimension = dimension
        self._max_bytes = max_bytes
        self._indexes: OrderedDict[str, ScopeIndex] = OrderedDict()
        self._partitions: dict[str, str] = {}
        self._loading: dict[str, asyncio.Task[ScopeIndex]] = {}

    async def of(self, partition: str, user: str) -> ScopeIndex:
        """The index of one user of a partition, loaded from the store at its first touch.

        A caller that gives up waiting does not stop the load: the next one finds it done.
        """
        name = namespace(partition, user)
        if name in self._indexes:
            self._indexes.move_to_end(name)
            return self._indexes[name]
        if name not in self._loading:
            self._partitions[name] = partition
            self._loading[name] = asyncio.create_task(self._load(name, partition, user))
            self._loading[name].add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._loading[name])

    async def refresh(self, changed: Iterable[tuple[str, str]]) -> None:
        """Reads again what changed: (namespace, memory id) pairs. Namespaces that are not in RAM are passed over."""
        by_namespace: dict[str, set[str]] = {}
        for name, memory_id in changed:
            by_namespace.setdefault(name, set()).add(memory_id)
        for name, ids in by_namespace.items():
            if name in self._loading:
                await asyncio.wait([self._loading[name]])
            if name in self._indexes:
                entries = await self._store().get(self._partitions[name], sorted(ids))
                index = self._indexes.get(name)
                if index is not None:
                    own = [entry for entry in entries if entry.memory.namespace == name]
                    index.put(own)
                    index.drop(ids - {entry.memory.id for entry in own})

    def unembedded(self, limit: int) -> list[Memory]:
        """Up to ``limit`` memories in RAM that have no vector."""
        return [memory for index in self._indexes.values() for memory in index.unembedded()][:limit]

    async def aclose(self) -> None:
        """Ends the loads that are under way."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    async def _load(self, name: str, partition: str, user: str) -> ScopeIndex:
        try:
            entries = await self._store().load(partition, user)
            index = ScopeIndex(self._dimension)
            await asyncio.to_thread(index.put, entries)
            self._indexes[name] = index
            self._evict()
            return index
        finally:
            del self._loading[name]

    def _evict(self) -> None:
        weight = sum(index.weight for index in self._indexes.values())
        while weight > self._max_bytes and len(self._indexes) > 1:
            name, index = self._indexes.popitem(last=False)
            del self._partitions[name]
            weight -= index.weight
