"""Dead letters: exchanges in the journal that failed to be learned too often. They hold up no other and stay erasable.

A dead letter is a row of the journal whose worker is nobody, named after the error that it met.
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
"""What a dead letter's worker begins with. A worker's name begins with that of its host, which holds no number sign."""
_LONGEST_ERROR: Final = 128
"""Characters of an error's name."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One exchange: its mark, the call that it belongs to, when it was said, and the class of the error."""

    mark: str
    call: str
    said: datetime
    error: str


class DeadLetters:
    """Those of one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, mark: str, error: str) -> None:
        """Makes an exchange of the journal a dead letter."""
        nobody = {"worker": f"{_NOBODY}{error[:_LONGEST_ERROR]}"}
        await self._database.write(
            lambda c: c.execute(update(journal).where(journal.c.mark == mark).values(nobody)).rowcount
        )

    async def all(self) -> list[DeadLetter]:
        """The dead letters, those that were said first before the others."""
        query = select(journal).where(is_dead()).order_by(journal.c.said)
        return await self._database.read(lambda c: [_letter(row) for row in c.execute(query)])

    async def take_back(self, worker: str) -> int:
        """How many became exchanges of this worker, to be tried once more."""
        taken = update(journal).where(is_dead()).values(worker=worker)
        return int(await self._database.write(lambda c: c.execute(taken).rowcount))

    async def drop(self, said_before: datetime) -> int:
        """How many were said before then, and are gone now with their words."""
        old = delete(journal).where(is_dead(), journal.c.said < said_before)
        return int(await self._database.write(lambda c: c.execute(old).rowcount))


def is_dead() -> ColumnElement[bool]:
    """True for the rows of the journal that are dead letters."""
    return journal.c.worker.startswith(_NOBODY)


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(row.mark, row.call, aware(row.said), row.worker.removeprefix(_NOBODY))
