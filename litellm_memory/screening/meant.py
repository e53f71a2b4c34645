"""What a text is after by what it means, in whatever words: a net has read ten thousand sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import sentences

MEANT: Final = 0.85
"""Probability from which a text waits: of those that were written to look like attacks, by folds, 4 % have as much,
and 0.4 % of ordinary ones."""
LONGEST: Final = 300
"""Characters that are read at once: one vector says little of more."""
MOST_READ: Final = 2400
"""Characters of a long text, for 1.3 ms per 300 of them, and as much again for its sentences alone."""
MOST_PARTS: Final = 64


def mean_harm(texts: Sequence[str]) -> list[bool]:
    """Whether each text would steer a model by what it means. False for all without the encoder's package."""
    from litellm_memory.meaning import attacks, available, vectors  # whoever screens names alone needs no numpy

    parts = [[*islice(_parts(text[:MOST_READ]), MOST_PARTS)] for text in texts]
    every = [part for some in parts for part in some]
    if not every or not available():
        return [False] * len(texts)
    read = dict(zip(every, attacks().probabilities(vectors(every))[:, 0], strict=True))
    return [any(read[part] >= MEANT for part in some) for some in parts]


def _parts(text: str) -> Iterable[str]:
    """The text in pieces of whole sentences, none much longer than what is read at once, and each sentence alone."""
    part = ""
    for sentence in sentences(simplified(text)):
        if part and len(part) + len(sentence) > LONGEST:
            yield part
            part = ""
        # One order among three harmless sentences moves their common vector too little.
        yield sentence[:LONGEST]
        part = f"{part} {sentence[:LONGEST]}".strip()
    if part:
        yield part
