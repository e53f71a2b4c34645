"""Entries of a block as a Markdown list: each text on one line."""

from __future__ import annotations

from litellm_memory.render.escaping import on_one_line


def standing_instruction(text: str) -> str:
    """The line for a standing instruction."""
    return f"- Standing wish: {on_one_line(text)}"


def entry(text: str, reply: str | None) -> str:
    """The lines for any other memory, with the reply that its message got."""
    answer = f"\n  - answer then: {on_one_line(reply)}" if reply else ""
    return f"- {on_one_line(text)}{answer}"
