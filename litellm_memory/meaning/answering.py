"""Which memories a message needs, in any language that the encoder reads: `questions.npz`, by `train_questions`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from litellm_memory.meaning.nets import MOST_CHARACTERS, PATH, Floats, Net, arrays, net_of
from litellm_memory.meaning.places import KeptPlaces, Space

QUESTIONS: Final = PATH.with_name("questions.npz")
AT_ONCE: Final = 64
"""Texts that are read in one go: who asks meanwhile waits for no more, a tenth of a second."""


def needed(message: str, memories: Sequence[str]) -> Floats:
    """For each memory the probability, from 0 to 1, that the message needs it; Chinese in simplified characters.

    Each text is read once, 1.3 ms, and then remembered. It blocks the calling thread.
    """
    texts = [text[:MOST_CHARACTERS] for text in memories]
    for begin in range(0, len(texts), AT_ONCE):
        _PLACES(texts[begin : begin + AT_ONCE])
    places, asked = _PLACES(texts), _PLACES([message[:MOST_CHARACTERS]])
    return _net().probabilities(inputs(places, np.broadcast_to(asked, places.shape)))[:, 0]


def inputs(memories: Floats, messages: Floats) -> Floats:
    """What the net reads of memories and messages, a row of each for a pair."""
    length = np.linalg.norm(memories, axis=1) * np.linalg.norm(messages, axis=1)
    alike = memories * messages
    cosines = alike.sum(axis=1) / np.maximum(length, 1e-6)
    return np.hstack([cosines[:, None], alike, np.abs(memories - messages), messages, memories], dtype=np.float32)


@cache
def _space() -> Space:
    data = arrays(QUESTIONS)
    return Space(data["mean"], data["axes"])


@cache
def _net() -> Net:
    return net_of("questions", arrays(QUESTIONS))


_PLACES: Final = KeptPlaces(_space)
