"""Upper bounds of what a block costs in tokens: an entry costs its memory's own count plus the markup around it.

The constants are measured with LiteLLM's token counter, plus a margin, so that no block exceeds its budget.
"""

from __future__ import annotations

from litellm_memory.models import BlockStyle, Memory
from litellm_memory.render.content import is_standing, shown, summary

# All in tokens.
FRAME, WRAP, TOKEN_LINE = 39, 14, 24
HEADING, ENTRY, STANDING_INSTRUCTION, REPLY = 8, 2, 10, 12
ESCAPED_CHARACTER = 3


def frame_tokens(layout: BlockStyle | None) -> int:
    """Upper bound for a block without its headings and entries."""
    if layout is None:
        return FRAME
    return FRAME + (WRAP if layout.wrap else 0) + (TOKEN_LINE if layout.show_tokens else 0)


def heading_tokens(heading: str) -> int:
    """Upper bound for a heading."""
    return HEADING + len(heading.encode()[len("2026-01-01:") :]) // 2 if heading else 0


def entry_tokens(memory: Memory, *, summarized: bool) -> int:
    """Upper bound for a memory's entry."""
    if summarized:
        return min(memory.tokens, len(summary(memory).encode()) // 2) + ENTRY
    text = shown(memory)
    markup = text.count("\n") + ESCAPED_CHARACTER * (text.count("<") + text.count(">") + text.count("&"))
    entry = STANDING_INSTRUCTION if is_standing(memory) else ENTRY
    return memory.tokens + markup + entry + (REPLY if memory.reply else 0)
