"""One's own memories and those of one's team, searched as one index: the question is read and ranked once."""

from __future__ import annotations

import numpy as np

from litellm_memory.index.ranking import Floats, Positions, Signals, joined
from litellm_memory.index.scope import AskedFor, ScopeIndex
from litellm_memory.models import Memory


class IndexBeside:
    """Two indexes as one for a query. Positions in ``shared`` count backwards from -1, so that either may grow."""

    def __init__(self, own: ScopeIndex, shared: ScopeIndex) -> None:
        self._own = own
        self._shared = shared

    def __len__(self) -> int:
        return len(self._own) + len(self._shared)

    def signals(self, vector: Floats | None, query: str) -> Signals:
        """As ``ScopeIndex.signals``; the rows of one's own memories come first."""
        asked = AskedFor.of(query)
        own, shared = self._own.signals(vector, asked), self._shared.signals(vector, asked)
        share = 0.0
        if own.unknown_names and shared.unknown_names:
            share = sum(not (self._own.knows(n) or self._shared.knows(n)) for n in asked.names) / len(asked.names)
        return joined(own, shared, unknown_names=share)

    def at(self, position: int) -> Memory | None:
        """The memory at a position of Signals; None where one was dropped."""
        return self._own.at(position) if position >= 0 else self._shared.at(-1 - position)

    def vector_at(self, position: int) -> Floats:
        """The vector of the memory at a position of Signals; zeros where it has none."""
        return self._own.vector_at(position) if position >= 0 else self._shared.vector_at(-1 - position)

    def cosines(self, vector: Floats, positions: Positions) -> Floats:
        """The cosine similarity of ``vector`` to those of the memories at these positions."""
        shared = positions < 0
        found = np.empty(len(positions), np.float32)
        found[~shared] = self._own.cosines(vector, positions[~shared])
        found[shared] = self._shared.cosines(vector, -1 - positions[shared])
        return found

    def standing_instructions(self) -> list[Memory]:
        """One's own: what a team agreed on is recalled where it is asked for."""
        return self._own.standing_instructions()
