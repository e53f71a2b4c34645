"""Trains the weights of `litellm_memory.meaning.letters` for the scripts that train what is judged by them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from litellm_memory.meaning.letters import PLACES, Letters, runs_in, scale

Floats = NDArray[np.float32]

EPOCHS, RATE, BATCH, BEGUN, BIAS_RATE = 6, 0.3, 64, 1e-4, 0.02
"""Of AdaGrad: the rate falls with the root of the squares of all slopes so far, which begin at BEGUN."""


def letters_of(texts: Sequence[str], wanted: Floats, *, seed: int = 0) -> Letters:
    """Weights by which these texts are told apart, one row of ``wanted`` each; a text counts once."""
    first = {text: place for place, text in reversed([*enumerate(texts)])}
    runs, right = [runs_in(text).astype(np.intp) for text in first], wanted[[*first.values()]]
    chosen = np.random.default_rng(seed)
    weights, squares = (np.full((PLACES, right.shape[1]), begun, np.float32) for begun in (0, BEGUN))
    bias = np.zeros(right.shape[1], np.float32)
    scales = np.array([scale(len(one)) for one in runs], np.float32)
    for _ in range(EPOCHS):
        order = chosen.permutation(len(runs))
        for begin in range(0, len(order), BATCH):
            some = order[begin : begin + BATCH]
            at = np.concatenate([runs[one] for one in some])
            row = np.repeat(np.arange(len(some)), [len(runs[one]) for one in some])
            odds = np.zeros((len(some), len(bias)), np.float32)
            np.add.at(odds, row, weights[at])
            wrong = 1 / (1 + np.exp(-(odds / scales[some, None] + bias))) - right[some]
            slopes = (wrong / scales[some, None])[row]
            np.add.at(squares, at, slopes**2)
            np.subtract.at(weights, at, RATE * slopes / np.sqrt(squares[at]))
            bias -= BIAS_RATE * wrong.mean(axis=0)
    return Letters(weights, bias)
