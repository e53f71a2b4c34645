"""Small nets over what texts mean: `nets.npz`, trained by `scripts/train_judges`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litellm_memory.meaning.encoder import vectors

Floats = NDArray[np.float32]

PATH: Final = Path(__file__).with_name("nets.npz")
ATTACKS: Final = PATH.with_name("attacks.npz")
MOST_CHARACTERS: Final = 400
"""Of a text that is judged: who says more at once mostly asks for something, and one vector says little of it."""
PLACES_KEPT: Final = 50_000
"""Places that are kept in memory, 300 bytes each."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where texts are by their main components: fewer numbers than their vectors have."""

    mean: Floats
    axes: Floats

    def of(self, read: Floats) -> Floats:
        """The places of these vectors, a row each."""
        return np.asarray((read - self.mean) @ self.axes.T, np.float32)


@dataclass(frozen=True, slots=True)
class Net:
    """The mean of several nets of one hidden layer, or of none, each with an output for every class."""

    scale: tuple[Floats, Floats]
    """The mean and the deviation of each input."""
    layers: tuple[tuple[Floats, ...], ...]

    def probabilities(self, inputs: Floats) -> Floats:
        """For each row, the probability of each class but that of nothing in particular."""
        mean, deviation = self.scale
        rows = (inputs - mean) / deviation
        return np.asarray(np.mean([_probability(rows, layers) for layers in self.layers], axis=0), np.float32)


def _probability(rows: Floats, layers: tuple[Floats, ...]) -> Floats:
    *hidden, weights, bias = layers
    for matrix, shift in zip(hidden[::2], hidden[1::2], strict=True):
        rows = np.maximum(rows @ matrix + shift, 0)
    return np.asarray(1 / (1 + np.exp(-(rows @ weights + bias))), np.float32)


@dataclass(frozen=True, slots=True)
class Nets:
    """All that was trained."""

    place: Space
    pairs: Net
    """Whether one statement takes the place of another."""
    wishes: Net
    """Whether a text wishes something forgotten, or this conversation not to be remembered."""


@cache
def nets() -> Nets:
    """The nets of the package."""
    data = _arrays(PATH)
    return Nets(Space(data["mean"], data["axes"]), _net("pairs", data), _net("wishes", data))


@cache
def attacks() -> Net:
    """Whether a text would steer a model: trained apart from the others, by `scripts/train_attacks`."""
    return _net("attacks", _arrays(ATTACKS))


def _arrays(path: Path) -> dict[str, Floats]:
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name].astype(np.float32) for name in kept.files}


def _net(name: str, data: dict[str, Floats]) -> Net:
    layers: list[tuple[Floats, ...]] = []
    while f"{name}.{len(layers)}.0" in data:
        start = f"{name}.{len(layers)}."
        layers.append(tuple(data[f"{start}{part}"] for part in range(sum(key.startswith(start) for key in data))))
    return Net((data[f"{name}.mean"], data[f"{name}.deviation"]), tuple(layers))


_PLACES: OrderedDict[str, Floats] = OrderedDict()
_KEEPING: Final = Lock()


def placed(texts: Sequence[str]) -> Floats:
    """The places of these texts, a row each; those of the last 50,000 texts are kept."""
    with _KEEPING:
        known = {text: _PLACES[text] for text in texts if text in _PLACES}
    new = [text for text in dict.fromkeys(texts) if text not in known]
    known |= dict(zip(new, nets().place.of(vectors(new)), strict=True))
    with _KEEPING:
        for text in dict.fromkeys(texts):
            _PLACES[text] = known[text]
            _PLACES.move_to_end(text)
        while len(_PLACES) > PLACES_KEPT:
            _PLACES.popitem(last=False)
    return np.stack([known[text] for text in texts]) if texts else np.empty((0, len(nets().place.axes)), np.float32)
