"""What a short text means: numbers that are alike for like texts in many languages, and small nets that judge them."""

from __future__ import annotations

from litellm_memory.meaning.answering import needed
from litellm_memory.meaning.encoder import DIMENSION, available, installed, use, vectors
from litellm_memory.meaning.nets import MOST_CHARACTERS, Net, attacks, log_odds, nets, over, placed
from litellm_memory.meaning.places import Space
from litellm_memory.meaning.worth import kinds_of, worth

__all__ = [
    "DIMENSION",
    "MOST_CHARACTERS",
    "Net",
    "Space",
    "attacks",
    "available",
    "installed",
    "kinds_of",
    "log_odds",
    "needed",
    "nets",
    "over",
    "placed",
    "use",
    "vectors",
    "worth",
]
