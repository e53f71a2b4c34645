"""What fits into a block: limits on tokens and entries, and no duplicates."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from litellm_memory.models import BlockStyle, Memory
from litellm_memory.render.content import heading, is_standing
from litellm_memory.render.costs import entry_tokens, frame_tokens, heading_tokens

Rejection: TypeAlias = Literal["limit", "repeated", "budget"]
"""Why a memory is not in a block: too many entries, a duplicate of what is in the block, or too many tokens."""


class BlockBudget:
    """The remaining budget of a block, while memories are added to it, best first."""

    def __init__(self, *, tokens: int | None, limit: int, layout: BlockStyle | None, name_projects: bool) -> None:
        """The budget of a block of at most ``limit`` memories and ``tokens`` tokens (None: unlimited)."""
        self._tokens = math.inf if tokens is None else tokens - frame_tokens(layout)
        self._entries = limit
        self._full_entries = limit if layout is None else layout.full_entries
        self._name_projects = name_projects
        self._headings: set[str] = {""}
        self._texts = ""
        self._messages: set[str] = set()

    def try_add(self, memory: Memory) -> Rejection | None:
        """Adds the memory and returns None, or returns why it was not added.

        After one that does not fit, smaller ones may still fit.
        """
        if not self._entries:
            return "limit"
        if memory.message in self._messages or memory.text in self._texts:
            return "repeated"
        summarized = not is_standing(memory) and not self._full_entries
        if memory.tokens > self._tokens and not summarized:
            return "budget"  # An entry costs at least its text, and most candidates are looked at when a block is full.
        above = heading(memory, name_projects=self._name_projects)
        tokens = entry_tokens(memory, summarized=summarized)
        if above not in self._headings:
            tokens += heading_tokens(above)
        if tokens > self._tokens:
            return "budget"
        self._tokens -= tokens
        self._entries -= 1
        self._headings.add(above)
        if not summarized:
            self._note_content(memory)
        return None

    def _note_content(self, memory: Memory) -> None:
        self._full_entries -= not is_standing(memory)
        self._texts += f"{memory.text}\n"
        if memory.kind == "episode" and memory.message:
            # The message itself is in the block, so memories learned from it would add nothing.
            self._messages.add(memory.message)
