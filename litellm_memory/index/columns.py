"""A few numbers per position of an index, in numpy columns with spare capacity."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.ranking import CUES, Floats, cues_of
from litellm_memory.models import Memory
from litellm_memory.text.cues import excess_length, talks_to_somebody

Scalar = TypeVar("Scalar", bound=np.generic)

MIN_CAPACITY = 16
DOUBLED_BELOW = 8192
"""A full column doubles below this many rows; above, it grows by an eighth, to save RAM."""


def grown(column: NDArray[Scalar], rows: int, *, fill: int = 0, axis: int = 0) -> NDArray[Scalar]:
    """A copy of ``column`` with room for ``rows`` rows along ``axis`` and spare capacity."""
    capacity = max(MIN_CAPACITY, 2 * rows if rows < DOUBLED_BELOW else rows + rows // 8)
    shape = (*column.shape[:axis], capacity, *column.shape[axis + 1 :])
    copy = np.zeros(shape, column.dtype)  # Pages take no RAM until they are written.
    if fill:
        copy.fill(fill)
    copy[tuple(map(slice, column.shape))] = column
    return copy


class Columns:
    """Length, cues and links of the memories. Not thread-safe: the index holds the lock."""

    def __init__(self) -> None:
        self.lengths: Floats = np.zeros(0, np.float32)
        """Words in each memory."""
        self.cues: Floats = np.zeros((0, len(CUES)), np.float32)
        """One column per entry of CUES."""
        self.excess_lengths: Floats = np.zeros(0, np.float32)
        self.is_message: NDArray[np.bool_] = np.zeros(0, np.bool_)
        """A message as it was said, not a fact."""
        self.in_session: NDArray[np.bool_] = np.zeros(0, np.bool_)
        """Its conversation is known, so its neighbours are of it; else they were only said near it."""
        self.to_somebody: NDArray[np.bool_] = np.zeros(0, np.bool_)
        """It talks about the listener, as people do to each other."""
        self.previous: NDArray[np.int32] = np.zeros(0, np.int32)
        self.following: NDArray[np.int32] = np.zeros(0, np.int32)
        """The positions of each memory's neighbours in time; -1 for none."""

    def grow(self, rows: int) -> None:
        """Makes room for ``rows`` positions; new ones are zeros without neighbours."""
        if rows <= len(self.lengths):
            return
        self.lengths = grown(self.lengths, rows)
        self.cues = grown(self.cues, rows)
        self.excess_lengths = grown(self.excess_lengths, rows)
        self.is_message = grown(self.is_message, rows)
        self.in_session = grown(self.in_session, rows)
        self.to_somebody = grown(self.to_somebody, rows)
        self.previous = grown(self.previous, rows, fill=-1)
        self.following = grown(self.following, rows, fill=-1)

    def describe(self, position: int, memory: Memory, words: int) -> None:
        """Fills the row of a memory that has this many ``words``; ``Neighbours`` links it."""
        self.lengths[position] = words
        self.cues[position] = cues_of(memory)
        self.excess_lengths[position] = excess_length(memory.text)
        self.is_message[position] = memory.kind == "episode"
        self.in_session[position] = (memory.session or memory.conversation) is not None
        self.to_somebody[position] = talks_to_somebody(memory.text)

    def clear(self, position: int) -> None:
        """Resets the row of a memory."""
        self.lengths[position] = 0
        self.cues[position] = 0
        self.excess_lengths[position] = 0
        self.is_message[position] = self.in_session[position] = self.to_somebody[position] = False
        self.previous[position] = self.following[position] = -1
