"""Which memories were said just before and after one another."""

from __future__ import annotations

import bisect
from typing import TypeAlias

from litellm_memory.index.columns import Columns
from litellm_memory.models import Memory

Link: TypeAlias = tuple[float, int]
"""When a memory was said, in seconds since 1970, and its position."""

MAX_PAUSE_SECONDS = 30 * 60.0
"""Messages without a session that are further apart than this are not neighbours."""


class Neighbours:
    """The memories of each conversation and project in chronological order, linked in ``columns``. The index locks.

    A conversation is known by its session, or by requests that carried several of its messages.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._chains: dict[tuple[str | None, ...], list[Link]] = {}

    def add(self, memory: Memory, position: int) -> None:
        """Links a memory to those said before and after it in its conversation and project."""
        chain = self._chains.setdefault(_conversation_of(memory), [])
        link = (memory.created.timestamp(), position)
        place = bisect.bisect(chain, link)
        chain.insert(place, link)
        self._link(memory, chain[place - 1] if place else None, link)
        self._link(memory, link, chain[place + 1] if place + 1 < len(chain) else None)

    def drop(self, memory: Memory, position: int) -> None:
        """Unlinks a memory, and links those before and after it to each other."""
        chain = self._chains[_conversation_of(memory)]
        place = bisect.bisect_left(chain, (memory.created.timestamp(), position))
        del chain[place]
        before = chain[place - 1] if place else None
        after = chain[place] if place < len(chain) else None
        self._link(memory, before, after)
        if not chain:
            del self._chains[_conversation_of(memory)]

    def _link(self, memory: Memory, before: Link | None, after: Link | None) -> None:
        apart = before is None or after is None
        if before and after and memory.session is None:
            # Facts that were added or imported at one time need not have anything to do with each other.
            messages = self._columns.is_message[before[1]] and self._columns.is_message[after[1]]
            # A pause also parts two conversations that begin with the same words.
            apart = not (messages or memory.conversation) or after[0] - before[0] > MAX_PAUSE_SECONDS
        if before:
            self._columns.following[before[1]] = -1 if apart or after is None else after[1]
        if after:
            self._columns.previous[after[1]] = -1 if apart or before is None else before[1]


def _conversation_of(memory: Memory) -> tuple[str | None, ...]:
    return memory.session, memory.conversation, memory.project
