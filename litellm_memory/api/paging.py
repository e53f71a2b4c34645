"""Pagination of lists: the common parameters, and the content of a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, TypeAlias, TypeVar

from fastapi import HTTPException, Query

from litellm_memory.ledger import ListPosition

T = TypeVar("T")

FOREIGN = "This cursor is not one of this list: ask for its first page again."

_POSITION = re.compile(r"(-?[0-9a-f]{1,15})-([0-9a-f]{40})", re.ASCII)

Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000, description="Most rows of one page.")]
Cursor: TypeAlias = Annotated[
    str | None, Query(max_length=300, description="`next_cursor` of the page before; the first page when left out.")
]


def position_at(cursor: str | None) -> ListPosition | None:
    """The position in a list of memories after which a page starts. Raises 400 for a cursor of another list."""
    if cursor is None:
        return None
    if (read := _POSITION.fullmatch(cursor)) is None:
        raise HTTPException(400, FOREIGN)
    return ListPosition(int(read[1], 16), read[2])


def cursor_at(position: ListPosition | None) -> str | None:
    """The cursor that ``position_at`` reads."""
    return None if position is None else f"{position.created:x}-{position.memory}"


def page_after(
    items: Sequence[T], cursor: str | None, limit: int, *, mark: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """The page after the item that ``cursor`` names, and the next cursor. Raises 400 for an unknown cursor."""
    start = 0
    if cursor is not None:
        marks = [mark(item) for item in items]
        if cursor not in marks:
            raise HTTPException(400, FOREIGN)
        start = marks.index(cursor) + 1
    page = list(items[start : start + limit])
    return page, mark(page[-1]) if len(items) > start + limit else None
