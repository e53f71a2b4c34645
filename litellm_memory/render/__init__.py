"""Renders memories to the block of text that a request is given, within a token budget."""

from litellm_memory.render.block import CLOSING, NOTE, OPENING, Format, render, says
from litellm_memory.render.budget import BlockBudget, Rejection
from litellm_memory.render.content import shown

__all__ = [
    "CLOSING",
    "NOTE",
    "OPENING",
    "BlockBudget",
    "Format",
    "Rejection",
    "render",
    "says",
    "shown",
]
