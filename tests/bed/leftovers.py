"""What files still hold: every byte is searched for texts and vectors, in every spelling that they may have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WINDOW = 16
"""Numbers in a row of a vector that nobody else has."""


def leftovers(directory: Path, *, texts: Iterable[str] = (), vectors: Iterable[NDArray[np.float32]] = ()) -> set[str]:
    """The names of the files in which any of these stands, with what was found there."""
    needles = {
        *(spelling for text in texts for spelling in _spellings(text)),
        *(w for v in vectors for w in _windows(v)),
    }
    assert needles
    return {
        f"{path.relative_to(directory)}: {needle[:40]!r}"
        for path in directory.rglob("*")
        if path.is_file()
        for held in (path.read_bytes(),)
        for needle in needles
        if needle in held
    }


def _spellings(text: str) -> Iterator[bytes]:
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield text.encode(encoding)
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text)[1:-1].upper().encode()


def _windows(vector: NDArray[np.float32]) -> Iterator[bytes]:
    for start in range(0, len(vector) - WINDOW, len(vector) // 4):
        yield vector[start : start + WINDOW].astype("<f4").tobytes()
