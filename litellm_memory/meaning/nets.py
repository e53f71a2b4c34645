"""Small nets over what texts mean: `nets.npz`, trained by `scripts/train_judges`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litellm_memory.meaning.encoder import vectors
from litellm_memory.meaning.letters import Letters
from litellm_memory.meaning.places import KeptReadings, Space

Floats = NDArray[np.float32]

PATH: Final = Path(__file__).with_name("nets.npz")
ATTACKS: Final = PATH.with_name("attacks.npz")
OVER: Final = PATH.with_name("over.npz")
FACTS: Final = PATH.with_name("facts.npz")
KINDS: Final = PATH.with_name("kinds.npz")
LEAST: Final = 1e-6
"""Probability that a net is taken to give at least: no letters could make up for one that is 0."""
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


@dataclass(frozen=True, slots=True)
class Judge:
    """What texts are, by what they mean and by the letters that they are written with."""

    net: Net
    letters: Letters

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """For each text, in simplified characters, the probability of each class but that of nothing in particular."""
        odds = (log_odds(self.net.probabilities(vectors(texts)), least=LEAST) + self.letters.logits(texts)) / 2
        return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def log_odds(likely: Floats, *, least: float) -> Floats:
    """The logarithms of the odds of probabilities, none of them nearer to 0 or 1 than ``least``."""
    bounded = np.clip(likely, least, 1 - least)
    return np.asarray(np.log(bounded) - np.log1p(-bounded), np.float32)


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
    """Whether one statement takes the place of another, by how the two of them look."""
    wishes: Judge
    """Whether a text wishes something forgotten, or this conversation not to be remembered."""


@cache
def nets() -> Nets:
    """The nets of the package."""
    data = arrays(PATH)
    return Nets(Space(data["mean"], data["axes"]), net_of("pairs", data), judge_of("wishes", data))


@cache
def attacks() -> Net:
    """Whether a text would steer a model: trained apart from the others, by `scripts/train_attacks`."""
    return net_of("attacks", arrays(ATTACKS))


@cache
def over() -> Net:
    """Whether a text takes a known one's place among all that a person says: by `scripts/train_over`."""
    return net_of("over", arrays(OVER))


@cache
def facts() -> Judge:
    """Whether a clause is worth remembering for weeks: by `scripts/train_facts`."""
    return judge_of("facts", arrays(FACTS))


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


def judge_of(name: str, data: dict[str, Floats]) -> Judge:
    """The judge of that name in the arrays of a file."""
    letters = Letters(data[f"{name}.letters"], data[f"{name}.letters.bias"])
    return Judge(net_of(name, data), letters)


placed: Final = KeptReadings(lambda texts: nets().place.of(vectors(texts)))
"""The places of texts in the space of `nets`."""
valued: Final = KeptReadings(lambda texts: facts().probabilities(texts))
"""How probably texts are worth remembering for weeks."""
