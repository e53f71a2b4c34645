"""Indexes of the known statements of recently active users, for comparison with new ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from litellm_memory.extract.known import KnownStatements
from litellm_memory.models import Memory

MAX_STATEMENTS: Final = 100_000
"""At most this many statements are indexed, of all users together; more only when one user alone has more."""


class KnownByUser:
    """An LRU cache of indexes of statements, by namespace. Not thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, KnownStatements] = OrderedDict()

    def of(self, namespace: str, memories: Iterable[Memory]) -> KnownStatements:
        """The index of a user's statements, updated to these ``memories``."""
        known = self._known.setdefault(namespace, KnownStatements())
        self._known.move_to_end(namespace)
        known.update(memories)
        while len(self._known) > 1 and sum(map(len, self._known.values())) > MAX_STATEMENTS:
            self._known.popitem(last=False)
        return known
