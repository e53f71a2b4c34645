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
"""Places that are kept in memory, those of the texts that were asked for last: half a kilobyte each, and the text."""


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
        wanted = [*dict.fromkeys(texts)]
        with self._keeping:
            # What is asked for again is put behind the others, which are forgotten first.
            known = {text: self._kept.pop(text) for text in wanted if text in self._kept}
            self._kept |= known
        new = [text for text in wanted if text not in known]
        if new:
            known |= self._read(new)
        return np.array([known[text] for text in texts], np.float32).reshape(len(texts), len(self._space().axes))

    def _read(self, texts: Sequence[str]) -> dict[str, Floats]:
        places = dict(zip(texts, self._space().of(vectors(texts)), strict=True))
        with self._keeping:
            self._kept |= places
            for text in [*islice(self._kept, max(0, len(self._kept) - KEPT))]:
                del self._kept[text]
        return places
