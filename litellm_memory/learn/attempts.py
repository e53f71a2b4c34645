"""Failed attempts to learn an exchange: their count, the backoff, and the report of those that are given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from litellm_memory.ledger import DeadLetter

BACKOFF_SECONDS: Final = (2.0, 10.0, 60.0, 300.0)
"""Backoff after the first, second, third and fourth failed attempt; after the fifth, the exchange becomes a dead
letter."""
DEAD_LETTERS_KEPT: Final = timedelta(days=30)
"""A dead letter is dropped this long after it was said: time for an update that fixes its error."""
NAMED: Final = 3
"""At most this many dead letters are named in a report."""


class Attempts:
    """Failed attempts by the exchange's mark, in RAM: a restart begins anew. Times are the event loop's."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[int, float]] = {}
        """The number of failures, and the earliest time of the next attempt."""

    def __len__(self) -> int:
        return len(self._failed)

    def __contains__(self, mark: str) -> bool:
        return mark in self._failed

    def is_due(self, mark: str, now: float) -> bool:
        """True for an exchange without failures, or whose backoff is over."""
        return mark in self._failed and self._failed[mark][1] <= now

    def failed(self, mark: str, now: float) -> bool:
        """Counts a failed attempt; True when it was the last one."""
        count, _ = self._failed.get(mark, (0, now))
        if count >= len(BACKOFF_SECONDS):
            return True
        self._failed[mark] = (count + 1, now + BACKOFF_SECONDS[count])
        return False

    def forget(self, mark: str) -> None:
        """Drops the count: the exchange was learned, or is given up."""
        self._failed.pop(mark, None)


def sentence_of(letters: Sequence[DeadLetter]) -> str | None:
    """What to know and do about dead letters; None when there are none. It contains nobody's words."""
    if not letters:
        return None
    named = ", ".join(f"call {letter.call} ({letter.error})" for letter in letters[:NAMED])
    more = f" and {len(letters) - NAMED} more" if len(letters) > NAMED else ""
    return (
        f"Some of what was said cannot be learned: {named}{more}. It is kept for {DEAD_LETTERS_KEPT.days} days and "
        "tried again at every start: update litellm-memory, or report the error that the log of litellm_memory.learn "
        "shows at debug level."
    )
