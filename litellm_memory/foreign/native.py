"""Our own export: its lines pass through unchanged."""

from __future__ import annotations

from collections.abc import Iterator

from litellm_memory.foreign.line import Json, Line


def fits(record: Json) -> bool:
    """True for a memory as `GET /v1/export` writes it, also for a line written by hand."""
    return isinstance(record.get("text"), str) and not record.keys() & {"memory_session_id", "chat_messages"}


def lines(record: Json) -> Iterator[Line]:
    """The record itself."""
    yield record
