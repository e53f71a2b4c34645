"""The vectors of an index; for large scopes also coarse ones, reduced to their principal axes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.columns import grown
from litellm_memory.index.ranking import Floats, Positions

Rows: TypeAlias = slice | Positions

TWO_STEPS_FROM = 8192
"""From this many memories, vectors are compared in two steps: coarse vectors of all, then full ones of the nearest."""
COARSE_AXES = 48
"""Dimensions of a coarse vector. With MiniLM vectors of 3,000 dialogue turns, the ten nearest by full vectors are
among the 36 nearest by coarse ones in 95 of 100 cases."""
AXES_SAMPLE = 4096
"""Vectors that the axes are computed from, evenly spread: more make no better axes and take longer."""
ROWS_AT_ONCE = 128
"""Vectors of candidates that are gathered and compared at once."""
HALF_FROM = 32768
"""Above this many memories vectors are float16, which halves most of an index's RAM and costs 1 ms per query. It is
precise enough to order the candidates of the first step."""


class Vectors:
    """One unit vector per position, zeros where there is none. Not thread-safe: the index holds the lock."""

    def __init__(self, dimension: int) -> None:
        self._all: Floats | NDArray[np.float16] = np.zeros((0, dimension), np.float32)
        self._coarse: Floats = np.zeros((COARSE_AXES, 0), np.float32)
        """One column per position: numpy adds up long rows three times as fast as many short ones."""
        self._axes: Floats | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self._all.nbytes + self._coarse.nbytes

    @property
    def bytes_per_vector(self) -> int:
        """Bytes per additional vector of a large scope."""
        return int(self._all.shape[1]) * np.dtype(np.float16).itemsize + COARSE_AXES * self._coarse.itemsize

    def grow(self, rows: int) -> None:
        """Makes room for ``rows`` positions."""
        if rows <= len(self._all):
            return
        if rows > HALF_FROM:
            self._all = grown(self._all.astype(np.float16, copy=False), rows)
        else:
            self._all = grown(self._all.astype(np.float32, copy=False), rows)
        if self._axes is not None:
            self._coarse = grown(self._coarse, rows, axis=1)

    def put(self, position: int, vector: Floats) -> None:
        """Stores the vector of a position."""
        self._all[position] = vector
        if self._axes is not None:
            self._coarse[:, position] = vector @ self._axes

    def at(self, position: int) -> Floats:
        """The vector of a position."""
        vector: Floats = self._all[position].astype(np.float32, copy=False)
        return vector

    def clear(self, position: int) -> None:
        """Zeroes the vector of a position."""
        self._all[position] = 0
        if self._axes is not None:
            self._coarse[:, position] = 0

    def prepare(self, size: int) -> Floats:
        """The axes of the coarse vectors, computed from the first ``size`` vectors on the first call."""
        if self._axes is None:
            self._axes = _principal_axes(self._all[:size])
            steps = range(0, len(self._all), TWO_STEPS_FROM)
            self._coarse = np.concatenate(
                [self._axes.T @ self._all[step : step + TWO_STEPS_FROM].astype(np.float32).T for step in steps], axis=1
            )
        return self._axes

    def cosines(self, vector: Floats, rows: Rows) -> Floats:
        """The cosine similarity of ``vector`` to the vectors of these rows."""
        if isinstance(rows, slice):
            return _dot(self._all[rows].astype(np.float32, copy=False), vector)
        # A few rows at a time stay in the processor's cache between the two steps.
        found = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = self._all.take(rows[start : start + ROWS_AT_ONCE], axis=0)
            found[start : start + ROWS_AT_ONCE] = _dot(some.astype(np.float32, copy=False), vector)
        return found

    def coarse_cosines(self, vector: Floats, size: int) -> Floats:
        """The approximate cosine similarity to the first ``size`` vectors."""
        axes = self.prepare(size)
        return _dot(self._coarse.T[:size], _dot(axes.T, vector))


def _dot(rows: Floats, vector: Floats) -> Floats:
    """The product of each row with ``vector``, computed in the calling thread.

    OpenBLAS would use threads of its own: on a busy host that took 16 ms where one thread takes 1 ms.
    """
    products: Floats = np.einsum("ij,j->i", rows, vector)
    return products


def _principal_axes(vectors: NDArray[np.floating]) -> Floats:
    """The principal axes of a sample of the vectors, as columns."""
    sample = vectors[:: max(1, len(vectors) // AXES_SAMPLE)].astype(np.float64)
    _, axes = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(axes[:, -COARSE_AXES:], np.float32)
