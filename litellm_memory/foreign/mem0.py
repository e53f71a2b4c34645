"""mem0: what its API lists or exports, and the archive of its self-hosted OpenMemory."""

from __future__ import annotations

from collections.abc import Iterator

from litellm_memory.foreign.line import Json, Line, line_of, moment, name, names

GONE = frozenset({"deleted", "archived"})
PREFERENCES = frozenset({"preference", "preferences", "user_preferences", "personal_preferences"})


def fits(record: Json) -> bool:
    """True for a memory of its API (``memory``) or of OpenMemory (``content`` with a ``state``)."""
    return isinstance(record.get("memory"), str) or (isinstance(record.get("content"), str) and "state" in record)


def lines(record: Json) -> Iterator[Line]:
    """One memory; none for one that was deleted or archived there."""
    if str(record.get("state")) in GONE:
        return
    about = record.get("metadata")
    about = about if isinstance(about, dict) else {}
    tags = names(record.get("categories") or about.get("categories"))
    kinds = {tag.lower() for tag in (*tags, str(about.get("type", "")))}
    yield line_of(
        record.get("memory") or record.get("content"),
        id=name(record.get("id")),
        kind="preference" if kinds & PREFERENCES else "fact",
        tags=tags,
        user=name(record.get("user_id")),
        created=moment(record.get("created_at")),
        valid_until=moment(record.get("expiration_date")),
    )
