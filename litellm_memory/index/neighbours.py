"""Which memories were said just before and after one another."""

from __future__ import annotations

import bisect
from typing import TypeAlias

from litellm_memory.index.columns import Columns
from litellm_memory.models import Memory

Link: TypeAlias = tuple[float, int]
"""When a memory was said, in seconds since 1970, and its position."""

MAX_PAUSE_SECONDS = 30 * 60.0
"""Memories without a session that are further apart than this are not neighbours."""


class Neighbours:
    """The memories of each session and project in chronological order, linked in ``columns``. The index locks."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._chains: dict[tuple[str | None, str | None], list[Link]] = {}

    def add(self, memory: Memory, position: int) -> None:
        """Links a memory to those said before and after it in its session and project."""
        chain = self._chains.setdefault((memory.session, memory.project), [])
        link = (memory.created.timestamp(), position)
        place = bisect.bisect(chain, link)
        chain.insert(place, link)
        self._link(memory, chain[place - 1] if place else None, link)
        self._link(memory, link, chain[place + 1] if place + 1 < len(chain) else None)

    def drop(self, memory: Memory, position: int) -> None:
        """Unlinks a memory, and links those before and after it to each other."""
        chain = self._chains[memory.session, memory.project]
        place = bisect.bisect_left(chain, (memory.created.timestamp(), position))
        del chain[place]
        before = chain[place - 1] if place else None
        after = chain[place] if place < len(chain) else None
        self._link(memory, before, after)
        if not chain:
            del self._chains[memory.session, memory.project]

    def _link(self, memory: Memory, before: Link | None, after: Link | None) -> None:
        apart = before is None or after is None
        if before and after and memory.session is None:
            apart = after[0] - before[0] > MAX_PAUSE_SECONDS
        if before:
            self._columns.following[before[1]] = -1 if apart or after is None else after[1]
        if after:
            self._columns.previous[after[1]] = -1 if apart or before is None else before[1]
