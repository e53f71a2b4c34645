"""Which memories a message needs, in any language that the encoder reads: `questions.npz`, by `train_questions`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from litellm_memory.meaning.encoder import vectors
from litellm_memory.meaning.nets import MOST_CHARACTERS, PATH, Floats, Net, arrays, net_of
from litellm_memory.meaning.places import KeptReadings, Space

QUESTIONS: Final = PATH.with_name("questions.npz")
JUDGED: Final = 100
"""Memories that are judged, those nearest to the message: the net takes a hundredth of a millisecond for each."""


def needed(message: str, memories: Sequence[str]) -> Floats:
    """For each memory the probability, from 0 to 1, that the message needs it; Chinese in simplified characters.

    Each text is read once, 1.3 ms, and then remembered. It blocks the calling thread.
    """
    places, asked = _PLACES([text[:MOST_CHARACTERS] for text in memories]), _PLACES([message[:MOST_CHARACTERS]])
    alike = places @ asked[0] / np.maximum(np.linalg.norm(places, axis=1), 1e-6)
    near = np.argsort(-alike)[:JUDGED]
    found = np.zeros(len(memories), np.float32)
    found[near] = _net().probabilities(inputs(places[near], np.broadcast_to(asked, places[near].shape)))[:, 0]
    return found


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


_PLACES: Final = KeptReadings(lambda texts: _space().of(vectors(texts)))
