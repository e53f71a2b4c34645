"""Dead letters: exchanges that failed to be learned too often. They block no other exchange and can be erased.

A dead letter is a row of the journal whose ``worker`` is a prefix that no worker's name has, followed by the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.sql.elements import ColumnElement

from litellm_memory.database.database import Database
from litellm_memory.database.tables import aware, journal

_NOBODY: Final = "#dead-letter:"
"""The prefix. A worker's name starts with its host's name, which contains no number sign."""
_LONGEST_ERROR: Final = 128
"""At most this many characters of an error's class name are kept."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One exchange: its mark, its call, when it was said, and the class name of the error."""

    mark: str
    call: str
    said: datetime
    error: str


class DeadLetters:
    """The dead letters of one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, mark: str, error: str) -> None:
        """Makes an exchange of the journal a dead letter."""
        nobody = {"worker": f"{_NOBODY}{error[:_LONGEST_ERROR]}"}
        await self._database.write(
            lambda c: c.execute(update(journal).where(journal.c.mark == mark).values(nobody)).rowcount
        )

    async def all(self) -> list[DeadLetter]:
        """The dead letters, those said first in front."""
        query = select(journal).where(is_dead()).order_by(journal.c.said)
        return await self._database.read(lambda c: [_letter(row) for row in c.execute(query)])

    async def take_back(self, worker: str) -> int:
        """Makes all dead letters exchanges of this worker again, to be retried; returns how many."""
        taken = update(journal).where(is_dead()).values(worker=worker)
        return int(await self._database.write(lambda c: c.execute(taken).rowcount))

    async def drop(self, said_before: datetime) -> int:
        """Deletes the dead letters that were said before then, with their texts; returns how many."""
        old = delete(journal).where(is_dead(), journal.c.said < said_before)
        return int(await self._database.write(lambda c: c.execute(old).rowcount))


def is_dead() -> ColumnElement[bool]:
    """Matches the rows of the journal that are dead letters."""
    return journal.c.worker.startswith(_NOBODY)


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(row.mark, row.call, aware(row.said), row.worker.removeprefix(_NOBODY))
