"""LiteLLM's own `/v1/memory`: what its API lists, and its table `LiteLLM_MemoryTable` as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from litellm_memory.foreign.line import Json, Line, line_of, moment, name, names


def fits(record: Json) -> bool:
    """True for a row of that table."""
    return {"memory_id", "key", "value"} <= record.keys()


def lines(record: Json) -> Iterator[Line]:
    """One memory. The key becomes a tag, and heads the text where the value alone says nothing of itself."""
    key = str(record.get("key") or "")
    about = _object(record.get("metadata"))
    yield line_of(
        _said(key, record.get("value")),
        id=name(record.get("memory_id")),
        tags=names([key, *names(about.get("tags"))]),
        user=name(record.get("user_id")),
        created=moment(record.get("created_at")),
    )


def _said(key: str, value: object) -> object:
    """What a row says: its value, behind its key where that is a single line."""
    if not isinstance(value, str) or not value.strip() or "\n" in value.strip() or not key:
        return value
    return f"{key}: {value.strip()}"


def _object(value: object) -> Mapping[str, Any]:
    """An object, also one that a table's export has as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}
