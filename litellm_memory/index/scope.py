"""The in-memory search index of one user's memories."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.columns import Columns, Scalar
from litellm_memory.index.neighbours import Neighbours
from litellm_memory.index.postings import Postings, by_word, total
from litellm_memory.index.ranking import Floats, Positions, Signals, dialogue_of, with_neighbours
from litellm_memory.index.vectors import TWO_STEPS_FROM, Rows, Vectors
from litellm_memory.models import Memory
from litellm_memory.store import Entry
from litellm_memory.text.asking import asked_terms, said_terms
from litellm_memory.text.words import names

BY_VECTOR, BY_WORDS, WITH_NEIGHBOURS = 1200, 400, 100
"""Candidates in a large scope, about: the nearest by coarse vectors, the best by words, and the neighbours of this many
of the best of each."""
SAMPLED = 8192
"""Sample size to estimate the score of the lowest candidate: selecting from all 100,000 scores is slow."""
GUESSED_FROM = 8
"""One score of this many is looked at to guess the score of the lowest candidate."""
TEXT_BYTES, OBJECT_BYTES = 300, 1536
"""Bytes of RAM per memory besides its vector: a typical text, and objects and postings, measured on short texts."""


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A query as indexes read it: its search terms, and the names in it."""

    terms: Sequence[str]
    names: Collection[str]

    @classmethod
    def of(cls, text: str) -> AskedFor:
        """What ``text`` asks for."""
        return cls(asked_terms(text), names(text))


class ScopeIndex:
    """The memories of one namespace. Positions of dropped memories stay empty until the index is reloaded.

    Without ``searched`` it only holds them: no vectors, no words, and nothing is noted as lacking a vector.

    Thread-safe: large scopes are searched in threads, while changes come from the event loop.
    """

    def __init__(self, dimension: int, *, searched: bool = True) -> None:
        self._searched = searched
        self._lock = threading.Lock()
        self._memories: list[Memory | None] = []
        self._positions: dict[str, int] = {}
        self._vectors = Vectors(dimension)
        self._columns = Columns()
        self._postings = Postings()
        self._neighbours = Neighbours(self._columns)
        self._standing: dict[str, Memory] = {}
        self._unembedded: dict[str, Memory] = {}
        self._text_bytes = 0

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return self._vectors.nbytes + self._text_bytes + OBJECT_BYTES * len(self._memories)

    @property
    def bytes_per_memory(self) -> int:
        """Approximate bytes per additional memory of a large scope."""
        return self._vectors.bytes_per_vector + OBJECT_BYTES + TEXT_BYTES

    def standing_instructions(self) -> list[Memory]:
        """The instructions among the memories: they are recalled for every query."""
        with self._lock:
            return list(self._standing.values())

    def all(self) -> list[Memory]:
        """Every memory, in insertion order."""
        with self._lock:
            return [memory for memory in self._memories if memory is not None]

    def unembedded(self) -> list[Memory]:
        """The memories without a vector: they were kept while the model was missing or failing."""
        with self._lock:
            return list(self._unembedded.values())

    def at(self, position: int) -> Memory | None:
        """The memory at a position of Signals; None where one was dropped."""
        return self._memories[position]

    def vector_at(self, position: int) -> Floats:
        """The vector of the memory at a position of Signals; zeros where it has none."""
        return self._vectors.at(position)

    def cosines(self, vector: Floats, positions: Positions) -> Floats:
        """The cosine similarity of ``vector`` to those of the memories at these positions."""
        return self._vectors.cosines(vector, positions)

    def put(self, entries: Iterable[Entry]) -> None:
        """Adds memories, replacing those with the same id."""
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
        """Computes now what the first search in a large scope would otherwise compute."""
        with self._lock:
            if self._searched and len(self._memories) >= TWO_STEPS_FROM:
                self._vectors.prepare(len(self._memories))

    def drop(self, ids: Iterable[str]) -> None:
        """Takes memories out; unknown ids are skipped."""
        for memory_id in ids:
            with self._lock:
                self._drop(memory_id)

    def knows(self, name: str) -> bool:
        """True when a memory has this word."""
        with self._lock:
            return self._postings.unknown_share([name]) == 0

    def signals(self, vector: Floats | None, query: str | AskedFor) -> Signals:
        """How well each memory matches the query; in a large scope, only for candidates that may be near it."""
        asked = AskedFor.of(query) if isinstance(query, str) else query
        with self._lock:
            size, columns = len(self._memories), self._columns
            matches = self._postings.matches(asked.terms, columns.lengths[:size], len(self._positions))
            shares = total(matches, size)
            rows: Rows = slice(size)
            row_of = None
            if size >= TWO_STEPS_FROM:
                rows = self._candidates(vector, shares)
                row_of = np.full(size + 1, -1)  # The last stands for "no neighbour", which is position -1.
                row_of[rows] = np.arange(len(rows))
                shares = shares.take(rows)
            # `take` is several times as fast as indexing, and a slice as all of them.
            previous, following = (
                _of(linked, rows).astype(np.intp) for linked in (columns.previous, columns.following)
            )
            if row_of is not None:
                previous, following = row_of.take(previous), row_of.take(following)
            by_neighbours = by_word(matches, row_of, len(shares))
            return Signals(
                positions=np.arange(size) if isinstance(rows, slice) else rows,
                dense=np.zeros(len(shares), np.float32) if vector is None else self._vectors.cosines(vector, rows),
                words=np.minimum(shares, 1),
                nearby=with_neighbours(by_neighbours, shares, previous, following),
                cues=_of(columns.cues, rows).T.copy(),
                previous=previous,
                following=following,
                excess_lengths=_of(columns.excess_lengths, rows),
                in_session=_of(columns.in_session, rows),
                dialogue=dialogue_of(_of(columns.to_somebody, rows)),
                count=len(self._positions),
                unknown_names=self._postings.unknown_share(asked.names),
            )

    def _candidates(self, vector: Floats | None, shares: Floats) -> Positions:
        """The positions that are near the query by coarse vectors or by words, and neighbours of the best of them."""
        size, columns = len(self._memories), self._columns
        looks = [(shares, BY_WORDS)]
        if vector is not None:
            looks.append((self._vectors.coarse_cosines(vector, size), BY_VECTOR))
        chosen = np.zeros(size + 1, bool)  # The last place stands for "no neighbour", which is -1.
        for scores, count in looks:
            found, best = _best(scores, count, WITH_NEIGHBOURS)
            chosen[found] = True
            chosen[columns.previous.take(best)] = chosen[columns.following.take(best)] = True
        return np.flatnonzero(chosen[:size])

    def _append(self, entry: Entry) -> None:
        memory, position = entry.memory, len(self._memories)
        if self._searched:
            self._make_searchable(entry, position)
        self._memories.append(memory)
        self._positions[memory.id] = position
        self._text_bytes += _characters(memory)

    def _make_searchable(self, entry: Entry, position: int) -> None:
        memory = entry.memory
        counts = Counter(said_terms(memory.text))
        self._columns.grow(position + 1)
        self._vectors.grow(position + 1)
        self._columns.describe(position, memory, counts.total())
        if entry.vector is None:
            self._unembedded[memory.id] = memory
        else:
            self._vectors.put(position, entry.vector)
        self._postings.add(position, counts)
        if memory.kind == "instruction":
            self._standing[memory.id] = memory
        self._neighbours.add(memory, position)

    def _drop(self, memory_id: str) -> None:
        position = self._positions.pop(memory_id, None)
        if position is None:
            return
        memory = self._memories[position]
        assert memory is not None
        self._text_bytes -= _characters(memory)
        self._memories[position] = None
        if self._searched:
            self._standing.pop(memory_id, None)
            self._unembedded.pop(memory_id, None)
            self._postings.drop(position, said_terms(memory.text))
            self._neighbours.drop(memory, position)
            self._columns.clear(position)
            self._vectors.clear(position)


def _of(column: NDArray[Scalar], rows: Rows) -> NDArray[Scalar]:
    """These rows of a column, which may change meanwhile: a copy."""
    return column[rows].copy() if isinstance(rows, slice) else column.take(rows, axis=0)


def _best(scores: Floats, count: int, fewer: int) -> tuple[Positions, Positions]:
    """The positions of about the ``count`` best scores above 0, and of about the ``fewer`` best."""
    step = max(1, len(scores) // SAMPLED)
    lowest, higher = _lowest(scores[::step], max(1, count // step), max(1, fewer // step))
    found = np.flatnonzero(scores >= lowest if lowest > 0 else scores > 0)
    return found, found[scores.take(found) >= higher]


def _lowest(scores: Floats, count: int, fewer: int) -> tuple[float, float]:
    """The lowest of the ``count`` best scores, and of the ``fewer`` best; 0 where not so many are above 0."""
    # A guess from every eighth score, low enough to hold nearly always, leaves few to order.
    some = scores[::GUESSED_FROM]
    place = max(0, len(some) - 2 * count // GUESSED_FROM - 1)
    guess = np.partition(some, [place])[place]
    above = scores[scores >= guess] if guess > 0 else scores[scores > 0]
    if guess > 0 and len(above) < count:
        above = scores[scores > 0]
    # A list of two places: with one, numpy goes a way that many equal scores make slow.
    places = [max(0, len(above) - count), max(0, len(above) - fewer)]
    if len(above) < fewer:
        return 0.0, 0.0
    ordered = np.partition(above, places)
    return float(ordered[places[0]]) if len(above) >= count else 0.0, float(ordered[places[1]])


def _characters(memory: Memory) -> int:
    """The length of its text and its reply together."""
    return len(memory.text) + len(memory.reply or "")
