"""MAIA: the memories that its API and its command line list."""

from __future__ import annotations

from collections.abc import Iterator

from litellm_memory.foreign.line import Json, Line, line_of, moment, name, names, share

KINDS = {"episodic": "episode"}


def fits(record: Json) -> bool:
    """True for a memory of a namespace."""
    return isinstance(record.get("content"), str) and "namespace" in record


def lines(record: Json) -> Iterator[Line]:
    """One memory; its namespace is the user."""
    uses = record.get("access_count")
    yield line_of(
        record.get("content"),
        id=name(record.get("id")),
        kind=KINDS.get(str(record.get("type")), "fact"),
        tags=names(record.get("tags")),
        user=name(record.get("namespace")),
        created=moment(record.get("created_at")),
        confidence=share(record.get("confidence")),
        uses=uses if isinstance(uses, int) and uses > 0 else None,
        last_used=moment(record.get("accessed_at")) if uses else None,
    )
