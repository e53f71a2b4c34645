"""Memories to the block of text that a request is given, and what a block costs in tokens."""

from litellm_memory.render.block import CLOSING, NOTE, OPENING, Format, render
from litellm_memory.render.budget import BlockBudget, Rejection
from litellm_memory.render.content import shown
from litellm_memory.render.style import BlockStyle

__all__ = [
    "CLOSING",
    "NOTE",
    "OPENING",
    "BlockBudget",
    "BlockStyle",
    "Format",
    "Rejection",
    "render",
    "shown",
]
