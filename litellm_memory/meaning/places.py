"""Where texts are in a space of fewer numbers than their vectors have; those of the last texts are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litellm_memory.meaning.encoder import vectors

Floats = NDArray[np.float32]

KEPT: Final = 50_000
"""Places that are kept in memory, 300 bytes each."""
AT_ONCE: Final = 64
"""Texts that are read in one go: who asks meanwhile waits for no more, a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where texts are by their main components."""

    mean: Floats
    axes: Floats

    def of(self, read: Floats) -> Floats:
        """The places of these vectors, a row each."""
        return np.asarray((read - self.mean) @ self.axes.T, np.float32)


class KeptPlaces:
    """The places of texts in the space that ``space`` returns, once it is needed. Thread-safe."""

    def __init__(self, space: Callable[[], Space]) -> None:
        self._space = space
        self._kept: dict[str, Floats] = {}
        self._keeping = Lock()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """A row for each text."""
        with self._keeping:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        for begin in range(0, len(new), AT_ONCE):
            known |= self._read(new[begin : begin + AT_ONCE])
        return (
            np.stack([known[text] for text in texts]) if texts else np.empty((0, len(self._space().axes)), np.float32)
        )

    def _read(self, texts: Sequence[str]) -> dict[str, Floats]:
        """The places of new texts; those that were read first are forgotten first."""
        places = dict(zip(texts, self._space().of(vectors(texts)), strict=True))
        with self._keeping:
            self._kept |= places
            for text in list(islice(self._kept, max(0, len(self._kept) - KEPT))):
                del self._kept[text]
        return places
