"""What a block shows of a memory: its text, a short reply, a summary, and the heading above it."""

from __future__ import annotations

from datetime import UTC, datetime

from litellm_memory.models import LAYER, Memory
from litellm_memory.render.escaping import on_one_line

MAX_REPLY_CHARACTERS = 400
"""A longer reply is left out."""
MAX_SUMMARY_CHARACTERS = 120
SHARED = "known to your team"
"""Ends the heading above what a team shares."""


def is_standing(memory: Memory) -> bool:
    """True for a standing instruction of the person: it has no heading, comes first and is always given in full."""
    return memory.kind == "instruction" and not is_shared(memory)


def is_shared(memory: Memory) -> bool:
    """True for what a team shares."""
    return memory.partition.startswith(LAYER)


def said_at(memory: Memory) -> datetime:
    """The time that a block sorts a memory by, and shows as its day."""
    return memory.valid_from or memory.created


def shown(memory: Memory) -> str:
    """What a block shows of a memory: its text, and its reply when that is short."""
    reply = shown_reply(memory)
    return f"{memory.text}\n{reply}" if reply else memory.text


def shown_reply(memory: Memory) -> str | None:
    """The reply to a memory's message when it is short enough to be shown."""
    return memory.reply if memory.reply and len(memory.reply) <= MAX_REPLY_CHARACTERS else None


def summary(memory: Memory) -> str:
    """The beginning of a memory's text on one line, truncated between words."""
    line = " ".join(memory.text.split())
    if len(line) <= MAX_SUMMARY_CHARACTERS:
        return line
    cut = line[: MAX_SUMMARY_CHARACTERS - 1]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut else cut}…"


def heading(memory: Memory, *, name_projects: bool) -> str:
    """The line above a memory: its day, with ``name_projects`` its project, and whether it is a team's.

    Empty for a standing instruction.
    """
    if is_standing(memory):
        return ""
    day = said_at(memory).astimezone(UTC).date().isoformat()
    project = f", {on_one_line(memory.project)}" if name_projects and memory.project else ""
    return f"{day}{project}, {SHARED}:" if is_shared(memory) else f"{day}{project}:"
