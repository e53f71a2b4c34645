"""What a message needs of the memories, in the languages that the local model does not read."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from litellm_memory.index.beside import IndexBeside
from litellm_memory.index.ranking import Signals
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.memories.vectors import Needed
from litellm_memory.text.chinese import simplified
from litellm_memory.text.cues import plain
from litellm_memory.text.words import is_english, read_by_encoder

Index: TypeAlias = ScopeIndex | IndexBeside

NEEDED: Final = 0.8
"""The cosine that a need of probability 1 is worth. With it the default threshold lies at 0.44: of made-up blocks in 16
languages that the net has not seen, by folds, 83 % of the messages that need a memory then find it, and 0.4 % of
those about something else (docs/decisions/questions.md)."""
MOSTLY_ENGLISH: Final = 0.9
"""From this share of words in English letters on, the local model's table of token vectors is used."""


def english_share(text: str) -> float:
    """The share of the words of ``text`` in English letters; 0 when it is in another language."""
    return plain(text) if is_english(text) else 0.0


def by_need(signals: Signals, index: Index, text: str, needed: Needed) -> Signals | None:
    """The signals with the probability that ``text`` needs a memory in place of the cosine of its vector; None for a
    text that is not read."""
    if not read_by_encoder(text):
        return None
    memories = map(index.at, signals.positions.tolist())
    texts = [
        simplified(memory.text) if memory is not None and read_by_encoder(memory.text) else "" for memory in memories
    ]
    likely = np.where([*map(bool, texts)], needed(simplified(text), texts), np.float32(0))
    return replace(signals, dense=np.float32(NEEDED) * likely)
