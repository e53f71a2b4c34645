"""Memories for tests that need no store."""

from __future__ import annotations

from datetime import UTC, datetime

from litellm_memory.models import Memory

DAY = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def memory(text: str, **fields: object) -> Memory:
    """A fact of user ``u`` whose id is its text, but for the ``fields`` given."""
    given = {"id": text, "partition": "p", "user": "u", "kind": "fact", "created": DAY, **fields}
    return Memory(text=text, **given)  # type: ignore[arg-type]  # a table of fields
