"""What a short text means: numbers that are alike for like texts in many languages, and small nets that judge them."""

from __future__ import annotations

from litellm_memory.meaning.encoder import DIMENSION, available, use, vectors
from litellm_memory.meaning.nets import MOST_CHARACTERS, Net, Space, attacks, nets, placed

__all__ = ["DIMENSION", "MOST_CHARACTERS", "Net", "Space", "attacks", "available", "nets", "placed", "use", "vectors"]
