"""ai-mem's style of block: a list of summaries in ai-mem's own tag, with a line of token counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from litellm_memory.models import BlockStyle, Memory
from litellm_memory.render.content import is_standing, summary
from litellm_memory.render.costs import entry_tokens
from litellm_memory.render.escaping import on_one_line

WRAP_OPENING, WRAP_CLOSING = "<ai-mem-context>", "</ai-mem-context>"


def ids_to_summarize(memories: Sequence[Memory], layout: BlockStyle) -> set[str]:
    """The ids of the memories, best first, that are given as a summary."""
    return {memory.id for memory in [one for one in memories if not is_standing(one)][layout.full_entries :]}


def summary_entry(memory: Memory) -> str:
    """The line for a memory that is given as a summary."""
    return f"- {on_one_line(summary(memory))}"


def token_line(memories: Sequence[Memory], summarized: Collection[str]) -> str:
    """The line with the token cost of the entries, and the tokens that summaries save."""
    index = sum(entry_tokens(memory, summarized=True) for memory in memories if memory.id in summarized)
    full = sum(entry_tokens(memory, summarized=False) for memory in memories if memory.id not in summarized)
    saved = sum(entry_tokens(memory, summarized=False) for memory in memories) - index - full
    return f"Tokens: index {index}, full {full}, total {index + full}, saved ~{saved}"
