"""One user's memories in RAM: vectors, words, cues and who stands beside whom. What the hot path searches."""

from __future__ import annotations

import bisect
import math
import threading
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.ranking import Links, Positions, Signals, with_neighbours
from litellm_memory.models import Memory
from litellm_memory.store import Entry
from litellm_memory.text.cues import asks, is_long, statement, tells_time
from litellm_memory.text.words import names, words

Floats = NDArray[np.float32]
Vectors: TypeAlias = NDArray[np.float32] | NDArray[np.float16]
Found: TypeAlias = tuple[NDArray[np.int32], Floats]
"""Positions that have a word, and the share of each."""

# BM25 for short texts, with the constants that Anserini takes for passages: a memory is seldom long for want of focus.
K1, B = 0.9, 0.4
USUAL = 50
"""Memories that word weights are counted with beside the scope's own, none of which has the word: in a scope of one
memory a word that it has weighs about as much as one that it lacks, as it does in a large scope."""
PAUSE = 30 * 60.0
"""Seconds of silence after which a memory without a session does not go on from the one before."""
FIRST_LOOK_FROM = 8192
"""Memories from which on vectors are compared in two steps: few axes of all, then all axes of the nearest."""
AXES = 48
"""The axes that vectors differ most in, kept beside all axes. Of the MiniLM vectors of 3,000 turns of dialogue, the ten
nearest by all axes are among the 36 nearest by these in 95 of 100 cases."""
WEIGHTIEST = 12
"""Words of a query that are also looked for beside a memory: a question seldom has more, and each one costs."""
COMMON = 4
"""A word with more holders than so many times the memories that are looked at stands beside nearly everything."""
NEAREST, WORDIEST, BESIDE = 1200, 400, 100
"""Memories of a large scope that are looked at: the nearest by few axes, those with the weightiest words, and those
beside the best of both."""
HALF, HALF_FROM = np.dtype(np.float16), 32768
"""How vectors are kept in a scope of more memories than that: what weighs most by half, for a millisecond a query."""
USUAL_TEXT_BYTES = 300
OBJECT_BYTES = 1536
"""What one memory weighs in RAM beside its vector and its text: objects and postings, measured on short texts."""


class ScopeIndex:
    """The memories of one namespace. Positions of dropped memories stay empty until the index is loaded again.

    Threads may search and change it at once: searches run in a thread, changes come from the event loop.
    """

    def __init__(self, dimension: int) -> None:
        self._lock = threading.Lock()
        self._memories: list[Memory | None] = []
        self._positions: dict[str, int] = {}
        self._rows = _Rows(dimension)
        self._words = _Words()
        self._chains: dict[tuple[str | None, str | None], list[tuple[float, int]]] = {}
        self._axes: Floats | None = None
        self._wishes: dict[str, Memory] = {}
        self._unembedded: dict[str, Memory] = {}
        self.text_bytes = 0

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def weight(self) -> int:
        """Bytes that this index holds, about."""
        return (
            self._rows.vectors.nbytes + self._rows.coarse.nbytes + self.text_bytes + OBJECT_BYTES * len(self._memories)
        )

    @property
    def bytes_a_memory(self) -> int:
        """Bytes that one more memory of a large scope takes, about."""
        return int(self._rows.vectors.shape[1]) * HALF.itemsize + AXES * 4 + OBJECT_BYTES + USUAL_TEXT_BYTES

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
        """The memory at a position of Signals; None where one was dropped."""
        return self._memories[position]

    def put(self, entries: Iterable[Entry]) -> None:
        """Adds memories, in place of those with the same id."""
        for entry in entries:
            with self._lock:
                self._drop(entry.memory.id)
                self._append(entry)

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds those memories that are not here yet."""
        for entry in entries:
            with self._lock:
                if entry.memory.id not in self._positions:
                    self._append(entry)

    def prepare(self) -> None:
        """Does now what the first search in a large scope would have to do."""
        with self._lock:
            if len(self._memories) >= FIRST_LOOK_FROM:
                self._look_along_axes()

    def drop(self, ids: Iterable[str]) -> None:
        """Takes memories out; unknown ids are passed over."""
        for memory_id in ids:
            with self._lock:
                self._drop(memory_id)

    def signals(self, vector: Floats | None, query: str) -> Signals:
        """What speaks for each memory as an answer to the query; of a large scope, for those that may be near it."""
        with self._lock:
            size, rows = len(self._memories), self._rows
            found = self._words.found(words(query), rows.lengths[:size], len(self._positions))
            shares = _total(found, size)
            if size < FIRST_LOOK_FROM:
                positions = np.arange(size)
                dense = _cosines(rows.vectors[:size], vector)
                previous, following = rows.previous[:size].copy(), rows.following[:size].copy()
                places = np.arange(size, dtype=np.int32)
            else:
                positions = self._first_look(vector, shares)
                dense = _cosines(rows.vectors[positions], vector)
                places = np.full(size + 1, -1, np.int32)
                places[positions] = np.arange(len(positions))
                previous, following = places[rows.previous[positions]], places[rows.following[positions]]
            return Signals(
                positions=positions,
                dense=dense,
                words=np.minimum(shares[positions], 1),
                nearby=with_neighbours(_columns(found, places, len(positions)), shares[positions], previous, following),
                statement=rows.statement[positions],
                tells_time=rows.tells_time[positions],
                leans=rows.leans[positions],
                answers=np.append(rows.asks[positions], np.float32(0))[previous],
                previous=previous,
                following=following,
                count=len(self._positions),
                strange=self._words.strange(names(query)),
            )

    def _first_look(self, vector: Floats | None, shares: Floats) -> Positions:
        """The positions of a large scope that are near the query by a few axes or by words, and those beside them."""
        size, rows = len(self._memories), self._rows
        found = [_best(shares, WORDIEST)]
        best = [_best(shares, BESIDE)]
        if vector is not None:
            axes = self._look_along_axes()
            coarse = _dot(rows.coarse[:size], _dot(axes.T, vector))
            found.append(_best(coarse, NEAREST))
            best.append(_best(coarse, BESIDE))
        looked_at = np.zeros(size + 1, bool)  # The last place stands for "no neighbour", which is -1.
        for positions in found:
            looked_at[positions] = True
        for positions in best:
            looked_at[rows.previous[positions]] = looked_at[rows.following[positions]] = True
        return np.flatnonzero(looked_at[:size])

    def _look_along_axes(self) -> Floats:
        """The axes of the first look, with all vectors along them."""
        if self._axes is None:
            rows = self._rows
            self._axes = _principal_axes(rows.vectors[: len(self._memories)])
            steps = range(0, len(rows.vectors), FIRST_LOOK_FROM)
            rows.coarse = np.concatenate(
                [rows.vectors[step : step + FIRST_LOOK_FROM].astype(np.float32) @ self._axes for step in steps]
            )
        return self._axes

    def _drop(self, memory_id: str) -> None:
        position = self._positions.pop(memory_id, None)
        if position is None:
            return
        self._wishes.pop(memory_id, None)
        self._unembedded.pop(memory_id, None)
        memory = self._memories[position]
        assert memory is not None
        self._words.drop(position, words(memory.text))
        self._unchain(memory, position)
        self.text_bytes -= memory.characters
        self._memories[position] = None
        self._rows.clear(position)

    def _append(self, entry: Entry) -> None:
        memory, position = entry.memory, len(self._memories)
        counts = Counter(words(memory.text))
        self._rows.grow(position + 1)
        rows = self._rows
        rows.lengths[position] = counts.total()
        rows.statement[position] = statement(memory.text)
        rows.tells_time[position] = tells_time(memory.text)
        rows.asks[position] = asks(memory.text)
        rows.leans[position] = not is_long(memory.text)
        if entry.vector is None:
            self._unembedded[memory.id] = memory
        else:
            rows.vectors[position] = entry.vector
            if self._axes is not None:
                rows.coarse[position] = entry.vector @ self._axes
        self._words.add(position, counts)
        self._memories.append(memory)
        if memory.kind == "instruction":
            self._wishes[memory.id] = memory
        self._positions[memory.id] = position
        self._chain(memory, position)
        self.text_bytes += memory.characters

    def _chain(self, memory: Memory, position: int) -> None:
        """Puts a memory between those said before and after it in its session and project."""
        chain = self._chains.setdefault((memory.session, memory.project), [])
        link = (memory.created.timestamp(), position)
        place = bisect.bisect(chain, link)
        chain.insert(place, link)
        self._link(memory, chain[place - 1] if place else None, link)
        self._link(memory, link, chain[place + 1] if place + 1 < len(chain) else None)

    def _unchain(self, memory: Memory, position: int) -> None:
        chain = self._chains[memory.session, memory.project]
        place = bisect.bisect_left(chain, (memory.created.timestamp(), position))
        del chain[place]
        before = chain[place - 1] if place else None
        after = chain[place] if place < len(chain) else None
        self._link(memory, before, after)
        if not chain:
            del self._chains[memory.session, memory.project]

    def _link(self, memory: Memory, before: tuple[float, int] | None, after: tuple[float, int] | None) -> None:
        apart = before is None or after is None or (memory.session is None and after[0] - before[0] > PAUSE)
        if before is not None:
            self._rows.following[before[1]] = -1 if apart or after is None else after[1]
        if after is not None:
            self._rows.previous[after[1]] = -1 if apart or before is None else before[1]


class _Rows:
    """Columns with a row for each position, grown by doubling."""

    def __init__(self, dimension: int) -> None:
        self.vectors: Vectors = np.zeros((0, dimension), np.float32)
        self.coarse: Floats = np.zeros((0, AXES), np.float32)
        self.lengths: Floats = np.zeros(0, np.float32)
        self.statement: Floats = np.zeros(0, np.float32)
        self.tells_time: Floats = np.zeros(0, np.float32)
        self.asks: Floats = np.zeros(0, np.float32)
        self.leans: Floats = np.zeros(0, np.float32)
        self.previous: NDArray[np.int32] = np.zeros(0, np.int32)
        self.following: NDArray[np.int32] = np.zeros(0, np.int32)

    def grow(self, size: int) -> None:
        """Makes room for ``size`` rows; new ones are zeros beside nothing."""
        if size <= len(self.vectors):
            return
        large = size > HALF_FROM
        room = max(16, 2 * size if size < FIRST_LOOK_FROM else size + size // 8)
        for name, column in vars(self).items():
            # Half as exact is exact enough to order what the first look has found.
            grown = np.zeros((room, *column.shape[1:]), HALF if large and name == "vectors" else column.dtype)
            if name in ("previous", "following"):
                grown.fill(-1)
            if name == "coarse" and not len(column):
                continue
            grown[: len(column)] = column
            setattr(self, name, grown)

    def clear(self, position: int) -> None:
        """Leaves nothing of a memory."""
        for name, column in vars(self).items():
            if len(column):
                column[position] = -1 if name in ("previous", "following") else 0


class _Words:
    """Where each word stands and how often: BM25 over arrays that only grow; what is dropped counts no more."""

    def __init__(self) -> None:
        self._positions: dict[str, array[int]] = {}
        self._times: dict[str, array[float]] = {}
        self._holders: Counter[str] = Counter()
        self._total = 0

    def add(self, position: int, counts: Counter[str]) -> None:
        """Notes the words of a memory."""
        for word, times in counts.items():
            self._positions.setdefault(word, array("i")).append(position)
            self._times.setdefault(word, array("f")).append(times)
        self._holders.update(counts.keys())
        self._total += counts.total()

    def drop(self, position: int, said: Sequence[str]) -> None:
        """Forgets the words of a memory."""
        for word in set(said):
            place = bisect.bisect_left(self._positions[word], position)
            del self._positions[word][place], self._times[word][place]
            self._holders[word] -= 1
            if not self._holders[word]:
                del self._holders[word], self._positions[word], self._times[word]
        self._total -= len(said)

    def strange(self, asked: Collection[str]) -> float:
        """The share of these words that no memory has; 0 for no words."""
        return sum(not self._holders[word] for word in asked) / len(asked) if asked else 0.0

    def found(self, query: Sequence[str], lengths: Floats, count: int) -> list[Found]:
        """Where each word of the query stands, the weightiest first, with its BM25 as a share of all words' weight.

        So the shares mean the same in every scope: together they are 1 for a memory of middling length that has each
        word of the query once.
        """
        weights = {word: self._weight(word, count) for word in sorted(set(query))}
        whole = sum(weights.values())
        mean = max(self._total / count, 1.0) if count else 1.0
        held = [word for word in sorted(weights, key=lambda word: -weights[word]) if self._holders[word]]
        return [self._found(word, weights[word] / whole, lengths, mean) for word in held]

    def _weight(self, word: str, count: int) -> float:
        holders = self._holders[word]
        return math.log(1 + (count + USUAL - holders + 0.5) / (holders + 0.5))

    def _found(self, word: str, weight: float, lengths: Floats, mean: float) -> Found:
        positions = np.frombuffer(self._positions[word], np.int32)
        times = np.frombuffer(self._times[word], np.float32)
        norm = K1 * (1 - B + B * lengths[positions] / mean)
        shares = weight * times * (K1 + 1) / (times + norm)
        return positions, shares.astype(np.float32, copy=False)


def _total(found: Iterable[Found], size: int) -> Floats:
    """For each of ``size`` positions the sum of the shares of all words that it has."""
    total = np.zeros(size, np.float32)
    for positions, shares in found:
        total[positions] += shares
    return total


def _columns(found: Sequence[Found], places: Links, rows: int) -> Floats:
    """The shares of the weightiest words by row and word. ``places``: the row of a position, -1 for none."""
    told = [one for one in found[:WEIGHTIEST] if len(one[0]) <= COMMON * rows]
    columns = np.zeros((rows + 1, len(told)), np.float32)  # The last row takes what has none.
    for column, (positions, shares) in enumerate(told):
        columns[places[positions], column] = shares
    return columns[:-1]


def _best(scores: Floats, count: int) -> Positions:
    """The positions of about the ``count`` best scores above 0: a sample says where they begin, for sorting is slow."""
    step = max(1, len(scores) // 8192)
    sample = scores[::step]
    rank = min(len(sample), max(1, count // step))
    lowest = np.partition(sample, len(sample) - rank)[len(sample) - rank]
    return np.flatnonzero((scores >= lowest) & (scores > 0))


def _cosines(vectors: Vectors, vector: Floats | None) -> Floats:
    """The cosine of each of these unit vectors to ``vector``; zeros when there is none."""
    if vector is None:
        return np.zeros(len(vectors), np.float32)
    return _dot(vectors.astype(np.float32, copy=False), vector)


def _dot(rows: Floats, vector: Floats) -> Floats:
    """The product of each row with ``vector``, in the calling thread alone.

    OpenBLAS shares such products out to threads of its own: on a busy host that took 16 ms where one thread takes 1.
    """
    products: Floats = np.einsum("ij,j->i", rows, vector)
    return products


def _principal_axes(vectors: Vectors) -> Floats:
    """The directions in which vectors differ most, as columns, from a sample of them."""
    sample = vectors[:: max(1, len(vectors) // 4096)].astype(np.float64)
    _, axes = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(axes[:, -AXES:], np.float32)
