"""Small nets over what texts mean: `nets.npz`, trained by `scripts/train_judges`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litellm_memory.meaning.places import KeptPlaces, Space

Floats = NDArray[np.float32]

PATH: Final = Path(__file__).with_name("nets.npz")
ATTACKS: Final = PATH.with_name("attacks.npz")
FACTS: Final = PATH.with_name("facts.npz")
KINDS: Final = PATH.with_name("kinds.npz")
MOST_CHARACTERS: Final = 400
"""Of a text that is judged: who says more at once mostly asks for something, and one vector says little of it."""


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
    data = arrays(PATH)
    return Nets(Space(data["mean"], data["axes"]), net_of("pairs", data), net_of("wishes", data))


@cache
def attacks() -> Net:
    """Whether a text would steer a model: trained apart from the others, by `scripts/train_attacks`."""
    return net_of("attacks", arrays(ATTACKS))


@cache
def facts() -> Net:
    """Whether a clause is worth remembering for weeks: by `scripts/train_facts`."""
    return net_of("facts", arrays(FACTS))


@cache
def kinds() -> Net:
    """Of what kind a statement is, and whether it is about the person: by `scripts/train_kinds`."""
    return net_of("kinds", arrays(KINDS))


def arrays(path: Path) -> dict[str, Floats]:
    """What a file of trained numbers holds, by name."""
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name].astype(np.float32) for name in kept.files}


def net_of(name: str, data: dict[str, Floats]) -> Net:
    """The net of that name in the arrays of a file."""
    layers: list[tuple[Floats, ...]] = []
    while f"{name}.{len(layers)}.0" in data:
        start = f"{name}.{len(layers)}."
        layers.append(tuple(data[f"{start}{part}"] for part in range(sum(key.startswith(start) for key in data))))
    return Net((data[f"{name}.mean"], data[f"{name}.deviation"]), tuple(layers))


placed: Final = KeptPlaces(lambda: nets().place)
"""The places of texts in the space of `nets`."""
