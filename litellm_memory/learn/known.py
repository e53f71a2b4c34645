"""What is known of the users who were learned of last, ready to be compared with what they say next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from litellm_memory.extract.known import KnownStatements
from litellm_memory.models import Memory

MAX_STATEMENTS: Final = 100_000
"""Statements that are indexed at most, of all users together; more only where one user alone has more."""


class KnownByUser:
    """An LRU cache of indexes of statements, by namespace. Not for two threads at once."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, KnownStatements] = OrderedDict()

    def of(self, namespace: str, memories: Iterable[Memory]) -> KnownStatements:
        """The index of a user's statements, who has these ``memories`` now."""
        known = self._known.setdefault(namespace, KnownStatements())
        self._known.move_to_end(namespace)
        known.update(memories)
        while len(self._known) > 1 and sum(map(len, self._known.values())) > MAX_STATEMENTS:
            self._known.popitem(last=False)
        return known
