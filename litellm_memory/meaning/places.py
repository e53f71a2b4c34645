"""Where texts are in a space of fewer numbers than their vectors have; and what was read of the last texts is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

KEPT: Final = 50_000
"""Texts of which it is kept in memory what was read, those that were asked for last: half a kilobyte each at most, and
the text."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where texts are by their main components."""

    mean: Floats
    axes: Floats

    def of(self, read: Floats) -> Floats:
        """The places of these vectors, a row each."""
        return np.asarray((read - self.mean) @ self.axes.T, np.float32)


class KeptReadings:
    """What ``read`` tells of texts, a row for each, which is not read again. Thread-safe."""

    def __init__(self, read: Callable[[Sequence[str]], Floats]) -> None:
        self._read_now = read
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
        return np.stack([known[text] for text in texts]) if texts else self._read_now([])

    def _read(self, texts: Sequence[str]) -> dict[str, Floats]:
        read = dict(zip(texts, self._read_now(texts), strict=True))
        with self._keeping:
            self._kept |= read
            for text in [*islice(self._kept, max(0, len(self._kept) - KEPT))]:
                del self._kept[text]
        return read
