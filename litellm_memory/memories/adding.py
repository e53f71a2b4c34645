"""What a block gains from one more memory: whether it answers nearly as well as the best, or goes with what does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from litellm_memory.index.ranking import Floats, Ranking, Signals
from litellm_memory.memories.need import Index
from litellm_memory.models import Memory

LESS_WHEN_SURE: Final = 0.6
"""A memory goes into a block that has a better one from some share of the best relevance on. It is 1 less this much of
the confidence in the best one: where that is low, what comes next best is seldom of the same subject."""
LESS_WHEN_ALIKE: Final = 0.5
"""By so much is the share lower for one whose vector is that of the block's first, and in proportion for what is less
alike: what goes with an answer seldom repeats the question. Without it a day of mixed talk has about a tenth less on
the subject of the question, at the same evidence (docs/decisions/ranking.md)."""
LESS_BESIDE: Final = 0.2
"""By so much for one that was said directly before or after the first."""
ADDS_AT_LEAST: Final = 0.45
"""No share is lower."""
COMPARED: Final = 48
"""So many memories of the best ranks are held against the first: more is in no block, and a thousand take 0.2 ms."""
ADDS_BY_WORDS: Final = 0.55
"""The share where vectors do not tell which memories are alike: without a model, or in languages that it does not
read."""
ECHO, FEWEST_SHARED = 0.8, 3
"""A question that shares this much of the shorter one's words with what is asked now, and so many at least, was asked
before: a block has one such at most, for the answer that it got, and it keeps nothing out that answers."""
_QUESTION_MARKS, _SIGNS = ("?", "？"), ".,;:!?。，；：！？…\"'()"


class Adding:
    """What a block gains from memories that come by descending rank, given those that were added before."""

    def __init__(self, index: Index, signals: Signals, ranking: Ranking, best: Sequence[int], query: str) -> None:
        """``best``: the COMPARED rows of the best ranks, or fewer."""
        self._index = index
        self._signals = signals
        self._ranks = ranking.ranks
        self._relevance = ranking.relevance
        self._rows = np.array(best, np.intp)
        self._asked = _words_of(query)
        self._best = -1.0
        self._shares: Floats | None = None
        """The share of the best relevance from which each memory is added; None while the block has none."""
        self._echoed = False
        self.lowest_rank = -1.0
        """Below this rank nothing can be added any more."""

    def why_not(self, memory: Memory, row: int) -> Literal["far_behind", "repeated"] | None:
        """Why the block gains nothing from the memory in ``row``; None when it does."""
        if self._shares is not None and self._relevance.item(row) < self._shares.item(row) * self._best:
            return "far_behind"
        return "repeated" if self._echoed and self._echoes(memory) else None

    def add(self, memory: Memory, row: int, *, sure: float, compares: bool) -> None:
        """Takes note that the block has the memory in ``row``.

        ``sure``: the confidence in the best memory. ``compares``: vectors tell which memories are alike.
        """
        if self._echoes(memory):  # It is as like the question as nothing else can be, and answers nothing.
            self._echoed = True
            return
        if self._shares is None:
            self._shares = self._shares_beside(row, sure if compares else None)
        if (relevance := self._relevance.item(row)) > self._best:
            self._best = relevance
            self.lowest_rank = self._ranks[self._relevance >= self._shares * np.float32(relevance)].min().item()

    def _shares_beside(self, first: int, sure: float | None) -> Floats:
        """The share for each memory, given the block's first one."""
        if sure is None:
            return np.full(len(self._ranks), ADDS_BY_WORDS, np.float32)
        shares = np.full(len(self._ranks), 1 - LESS_WHEN_SURE * sure, np.float32)
        positions, rows = self._signals.positions, self._rows
        alike = self._index.cosines(self._index.vector_at(positions.item(first)), positions.take(rows))
        shares[rows] -= LESS_WHEN_ALIKE * np.maximum(alike, 0)
        for beside in (self._signals.previous.item(first), self._signals.following.item(first)):
            if beside >= 0:
                shares[beside] -= LESS_BESIDE
        return np.maximum(shares, np.float32(ADDS_AT_LEAST))

    def _echoes(self, memory: Memory) -> bool:
        """True for a question that says hardly more than what is asked now."""
        if memory.text[-1:] not in _QUESTION_MARKS:
            return False
        said = _words_of(memory.text)
        shared = len(said & self._asked)
        is_most = shared >= ECHO * min(len(said), len(self._asked))
        return is_most and (shared >= FEWEST_SHARED or said == self._asked)


def _words_of(text: str) -> frozenset[str]:
    return frozenset(word.strip(_SIGNS) for word in text.casefold().split())
