"""Where texts are in a space of fewer numbers than their vectors have; those of the last texts are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litellm_memory.meaning.encoder import vectors

Floats = NDArray[np.float32]

KEPT: Final = 50_000
"""Places that are kept in memory, 300 bytes each."""


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
        self._kept: OrderedDict[str, Floats] = OrderedDict()
        self._keeping = Lock()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """A row for each text."""
        space = self._space()
        with self._keeping:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known |= dict(zip(new, space.of(vectors(new)), strict=True))
        with self._keeping:
            for text in dict.fromkeys(texts):
                self._kept[text] = known[text]
                self._kept.move_to_end(text)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return np.stack([known[text] for text in texts]) if texts else np.empty((0, len(space.axes)), np.float32)
