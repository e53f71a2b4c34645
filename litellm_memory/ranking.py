"""Scores, their fusion and the token budget: arithmetic, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from litellm_memory.models import Recalled

Floats = NDArray[np.float32]

DENSE, WORDS = 0.6, 0.4
"""Weights of vectors and words: six to four was the best fusion tried on LoCoMo and on BEAM, rank fusion included."""
FIRST_LOOK = 64
ENTRY_TOKENS = 24
"""What the tags around one memory cost, in tokens; the memory's own tokens come on top."""


def fuse(dense: Floats, words: Floats, *, with_vectors: bool) -> Floats:
    """One score from 0 to 1 a memory. Without vectors the words alone decide."""
    return DENSE * np.clip(dense, 0, 1) + WORDS * words if with_vectors else words


def best_first(scores: Floats, *, at_least: float) -> Iterator[int]:
    """Positions in falling order of score down to ``at_least``; few are sorted until more are asked for."""
    if len(scores) > FIRST_LOOK:
        top = np.argpartition(-scores, FIRST_LOOK)[:FIRST_LOOK]
        lowest = scores[top].min()
        for position in _falling(scores, top):
            if scores[position] < at_least:
                return
            if scores[position] > lowest:
                yield int(position)
        rest = np.flatnonzero(scores <= lowest)
    else:
        rest = np.arange(len(scores))
    for position in _falling(scores, rest):
        if scores[position] < at_least:
            return
        yield int(position)


def within_budget(
    recalled: Sequence[Recalled], *, tokens: int, limit: int, cost: Callable[[Recalled], int]
) -> list[Recalled]:
    """The best-scored memories that fit, in score order; one that does not fit leaves its room to smaller ones."""
    kept: list[Recalled] = []
    for candidate in recalled:
        if len(kept) < limit and cost(candidate) <= tokens:
            kept.append(candidate)
            tokens -= cost(candidate)
    return kept


def _falling(scores: Floats, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    # Equal scores keep the order in which the memories came, so that a block is the same on every worker.
    return positions[np.lexsort((positions, -scores[positions]))]
