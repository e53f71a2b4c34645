"""What a text is written with: runs of its letters, each with a weight.

A vector of meanings is near many texts that are about something else. Those who want the same thing mostly share some
words for it too, in whatever form: what is like it in meaning and in letters is seldom there by chance.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RUNS: Final = range(2, 6)
"""How many letters a run has."""
PLACES: Final = 2**14
"""How many weights there are for each class: a run has the one that its checksum names."""
_KEPT: Final = 256


@dataclass(frozen=True, slots=True)
class Letters:
    """A weight of each run for each class."""

    weights: Floats
    """Shape (PLACES, classes)."""
    bias: Floats

    def logits(self, texts: Sequence[str]) -> Floats:
        """For each text, the logarithm of the odds of each class."""
        summed = [self.weights.take(found := runs_in(text), axis=0).sum(axis=0) / scale(len(found)) for text in texts]
        return np.asarray(np.reshape(summed, (len(texts), len(self.bias))) + self.bias, np.float32)


def scale(runs: int) -> float:
    """What the weights of so many runs are divided by, so that a long text is no surer for its length."""
    return float(np.sqrt(max(1, runs)))


@lru_cache(maxsize=_KEPT)
def runs_in(text: str) -> NDArray[np.uint16]:
    """The places of the runs of a text, each once; blanks count as letters, and case does not."""
    plain = f" {' '.join(text.replace('’', chr(39)).casefold().split())} "
    return np.array(
        sorted(
            {
                zlib.crc32(plain[begin : begin + length].encode("utf-8", "replace")) % PLACES
                for length in RUNS
                for begin in range(len(plain) - length + 1)
            }
        ),
        np.uint16,
    )
