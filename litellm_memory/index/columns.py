"""A few numbers per position of an index, in numpy columns with spare capacity."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.ranking import CUES, Floats

Scalar = TypeVar("Scalar", bound=np.generic)

MIN_CAPACITY = 16
DOUBLED_BELOW = 8192
"""A full column doubles below this many rows; above, it grows by an eighth, to save RAM."""


def grown(column: NDArray[Scalar], rows: int, *, fill: int = 0) -> NDArray[Scalar]:
    """A copy of ``column`` with room for ``rows`` rows and spare capacity."""
    capacity = max(MIN_CAPACITY, 2 * rows if rows < DOUBLED_BELOW else rows + rows // 8)
    copy = np.zeros((capacity, *column.shape[1:]), column.dtype)  # Pages take no RAM until they are written.
    if fill:
        copy.fill(fill)
    copy[: len(column)] = column
    return copy


class Columns:
    """Length, cues and links of the memories. Not thread-safe: the index holds the lock."""

    def __init__(self) -> None:
        self.lengths: Floats = np.zeros(0, np.float32)
        """Words in each memory."""
        self.cues: Floats = np.zeros((0, len(CUES)), np.float32)
        """One column per entry of CUES."""
        self.previous: NDArray[np.int32] = np.zeros(0, np.int32)
        self.following: NDArray[np.int32] = np.zeros(0, np.int32)
        """The positions of each memory's neighbours in time; -1 for none."""

    def grow(self, rows: int) -> None:
        """Makes room for ``rows`` positions; new ones are zeros without neighbours."""
        if rows <= len(self.lengths):
            return
        self.lengths = grown(self.lengths, rows)
        self.cues = grown(self.cues, rows)
        self.previous = grown(self.previous, rows, fill=-1)
        self.following = grown(self.following, rows, fill=-1)

    def clear(self, position: int) -> None:
        """Resets the row of a memory."""
        self.lengths[position] = 0
        self.cues[position] = 0
        self.previous[position] = self.following[position] = -1
