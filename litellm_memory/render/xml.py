"""Entries of a block with tags: texts keep their line breaks."""

from __future__ import annotations

from litellm_memory.render.escaping import indented


def standing_instruction(text: str) -> str:
    """The line for a standing instruction."""
    return f"<standing_wish>{indented(text)}</standing_wish>"


def entry(text: str, reply: str | None) -> str:
    """The lines for any other memory, with the reply that its message got."""
    answer = f"\n  <answer_then>{indented(reply)}</answer_then>" if reply else ""
    return f"- {indented(text)}{answer}"
