"""What fits into a block: tokens, entries, and nothing said twice."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from litellm_memory.models import BlockStyle, Memory
from litellm_memory.render.content import heading, is_standing
from litellm_memory.render.costs import entry_tokens, frame_tokens, heading_tokens

Rejection: TypeAlias = Literal["limit", "repeated", "budget"]
"""Why a memory is not in a block: there are enough entries, the block says it already, or it costs too many tokens."""


class BlockBudget:
    """What is left of a block's budget while memories are added to it, the best first."""

    def __init__(self, *, tokens: int | None, limit: int, layout: BlockStyle | None, name_projects: bool) -> None:
        """A block of at most ``limit`` memories and ``tokens`` tokens (None: as many as they take)."""
        self._tokens = math.inf if tokens is None else tokens - frame_tokens(layout)
        self._entries = limit
        self._full_entries = limit if layout is None else layout.full_entries
        self._name_projects = name_projects
        self._headings: set[str] = {""}
        self._texts = ""
        self._messages: set[str] = set()

    def try_add(self, memory: Memory) -> Rejection | None:
        """Adds the memory whole and returns None, or returns why it was not added.

        After one that does not fit, smaller ones still may.
        """
        if not self._entries:
            return "limit"
        if memory.message in self._messages or memory.text in self._texts:
            return "repeated"
        summarized = not is_standing(memory) and not self._full_entries
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
            # The message is in the block, so what was learned from it adds nothing.
            self._messages.add(memory.message)
