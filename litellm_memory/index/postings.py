"""Which memories contain a word, and what that is worth: BM25 over posting lists in arrays."""

from __future__ import annotations

import bisect
import math
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np

from litellm_memory.index.ranking import Floats, Positions

Matches: TypeAlias = tuple[Positions, Floats]
"""The positions that contain a word, and for each the share (0 to 1) of the query's weight that the match is worth."""

K1, B = 0.9, 0.4
"""BM25 parameters for short texts, as Anserini uses them for passages: length says little about a memory's focus."""
ASSUMED_MEMORIES = 50
"""Smoothing of word weights: the scope is assumed to have this many more memories without any word of the query. In a
scope of one memory, a word that it has then weighs about as much as one that it lacks, as in a large scope."""
WEIGHTIEST_WORDS = 12
"""Words of a query that also match in neighbours: a question seldom has more, and each costs time."""
COMMON = 4
"""A word in more than this many times the examined rows does not match in neighbours: it co-occurs with almost
everything."""


class Postings:
    """The positions of each word, ascending. Not thread-safe: the index holds the lock."""

    def __init__(self) -> None:
        self._positions: dict[str, array[int]] = {}
        self._times: dict[str, array[float]] = {}
        self._holders: Counter[str] = Counter()
        self._words = 0

    def add(self, position: int, counts: Counter[str]) -> None:
        """Adds the words of a memory; its position must be higher than all others."""
        for word, times in counts.items():
            self._positions.setdefault(word, array("i")).append(position)
            self._times.setdefault(word, array("f")).append(times)
        self._holders.update(counts.keys())
        self._words += counts.total()

    def drop(self, position: int, said: Sequence[str]) -> None:
        """Removes the words of a memory."""
        for word in set(said):
            place = bisect.bisect_left(self._positions[word], position)
            del self._positions[word][place], self._times[word][place]
            self._holders[word] -= 1
            if not self._holders[word]:
                del self._holders[word], self._positions[word], self._times[word]
        self._words -= len(said)

    def unknown_share(self, asked: Collection[str]) -> float:
        """The share of these words that no memory has; 0 for no words."""
        return sum(not self._holders[word] for word in asked) / len(asked) if asked else 0.0

    def matches(self, query: Sequence[str], lengths: Floats, count: int) -> list[Matches]:
        """The matches of each query word that any of the ``count`` memories contains, the weightiest word first.

        A match is the word's BM25 divided by the weight of all query words, so that shares are comparable across
        scopes: they sum to 1 for a memory of average length that contains each word once. ``lengths``: words in the
        memory at each position.
        """
        weights = {word: self._weight(word, count) for word in sorted(set(query))}
        whole = sum(weights.values())
        mean = max(self._words / count, 1.0) if count else 1.0
        held = [word for word in sorted(weights, key=lambda word: -weights[word]) if self._holders[word]]
        return self._matches(held, [weights[word] / whole for word in held], lengths, mean) if held else []

    def _weight(self, word: str, count: int) -> float:
        holders = self._holders[word]
        return math.log(1 + (count + ASSUMED_MEMORIES - holders + 0.5) / (holders + 0.5))

    def _matches(self, held: Sequence[str], weights: Sequence[float], lengths: Floats, mean: float) -> list[Matches]:
        # All words in one pass: most of them are in few memories, and each call of numpy costs about 1 µs.
        holders = [len(self._positions[word]) for word in held]
        positions = np.concatenate([np.frombuffer(self._positions[word], np.int32) for word in held], dtype=np.intp)
        times = np.concatenate([np.frombuffer(self._times[word], np.float32) for word in held])
        norms = K1 * (1 - B + B * lengths / mean)
        shares = np.repeat(np.array(weights, np.float32), holders)
        shares *= times
        shares *= K1 + 1
        shares /= times + norms.take(positions)
        ends = [0, *accumulate(holders)]
        return [(positions[start:end], shares[start:end]) for start, end in pairwise(ends)]


def total(matches: Iterable[Matches], size: int) -> Floats:
    """The sum of the shares at each of ``size`` positions."""
    sums = np.zeros(size, np.float32)
    for positions, shares in matches:
        np.add.at(sums, positions, shares)  # No position occurs twice, and this is twice as fast as indexing.
    return sums


def by_word(matches: Sequence[Matches], row_of: Positions | None, rows: int) -> Floats:
    """The shares of the weightiest words by row and word.

    ``row_of`` has the row of each position, -1 for none; None where each has its own.
    """
    chosen = [one for one in matches[:WEIGHTIEST_WORDS] if len(one[0]) <= COMMON * rows]
    columns = np.zeros((rows + 1, len(chosen)), np.float32)  # The last row collects positions without a row.
    for column, (positions, shares) in enumerate(chosen):
        columns[positions if row_of is None else row_of[positions], column] = shares
    return columns[:-1]
