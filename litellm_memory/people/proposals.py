"""Who proposed what to their team: to let go of it with the person, and to let them withdraw it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Select, delete, func, select

from litellm_memory.database.database import Database
from litellm_memory.database.people import proposals
from litellm_memory.database.tables import insert_new, listed
from litellm_memory.models import Memory

_WAITING: Final = (
    select(proposals.c.layer, proposals.c.memory)
    .join(listed, listed.c.memory == proposals.c.memory)
    .where(listed.c.waits.is_not(None))
)
"""Selects the layers and ids of what nobody decided yet."""


class Proposals:
    """The proposals in one ledger. Of what was approved, they tell who proposed it until that person is erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, proposed: str, layer: str, memory: Memory) -> None:
        """Records that the person with ``memory`` proposed a memory of ``layer``. Raises LedgerError."""
        whose = {"namespace": memory.namespace, "partition": memory.partition, "user": memory.user}
        row = {"memory": proposed, "layer": layer, "original": memory.id, **whose, "at": datetime.now(UTC)}
        await self._database.write(lambda c: insert_new(c, proposals, row))

    async def drop(self, memory: str, space: str) -> None:
        """Removes what tells that a person proposed this. Raises LedgerError."""
        own = (proposals.c.memory == memory, proposals.c.namespace == space)
        await self._database.write(lambda c: c.execute(delete(proposals).where(*own)).rowcount)

    async def open(self, space: str) -> list[tuple[str, str]]:
        """The layers and ids of what a person proposed and nobody decided yet, newest first. Raises LedgerError."""
        waits = _WAITING.where(proposals.c.namespace == space).order_by(proposals.c.at.desc())
        return await self._database.read(lambda c: [(row[0], row[1]) for row in c.execute(waits)])

    async def alone(self, space: str, until: datetime | None = None) -> list[tuple[str, str]]:
        """As ``open``: what nobody else proposed too, by a time. Raises LedgerError."""
        own = [proposals.c.namespace == space, proposals.c.memory.not_in(_of_several())]
        own += [] if until is None else [proposals.c.at <= until]
        waits = _WAITING.where(*own)
        return await self._database.read(lambda c: [(row[0], row[1]) for row in c.execute(waits)])

    async def became(self, original: str, space: str) -> tuple[str, bool] | None:
        """The id of what a person proposed of a memory of theirs, and whether it waits; None for none.

        Raises LedgerError.
        """
        query = (
            select(proposals.c.memory, listed.c.waits.is_not(None))
            .join(listed, listed.c.memory == proposals.c.memory)
            .where(proposals.c.original == original, proposals.c.namespace == space)
            .order_by(proposals.c.at.desc())
            .limit(1)
        )
        found = await self._database.read(lambda c: c.execute(query).first())
        return None if found is None else (found[0], bool(found[1]))

    async def proposers(self, proposed: str, partition: str) -> list[str]:
        """The users of a partition who proposed this memory of a layer. Raises LedgerError."""
        query = select(proposals.c.user).where(proposals.c.memory == proposed, proposals.c.partition == partition)
        return await self._database.read(lambda c: list(c.scalars(query)))

    async def is_proposed(self, proposed: str) -> bool:
        """True while it is known of anybody that they proposed this. Raises LedgerError."""
        query = select(func.count()).where(proposals.c.memory == proposed)
        return bool(await self._database.read(lambda c: c.scalar(query)))

    async def of(self, originals: Collection[str]) -> list[tuple[str, str]]:
        """The layers and ids of what waits of these memories, and of nobody else's. Raises LedgerError."""
        theirs = _WAITING.where(proposals.c.original.in_(originals), proposals.c.memory.not_in(_of_several()))
        return await self._database.read(lambda c: [(row[0], row[1]) for row in c.execute(theirs.distinct())])


def _of_several() -> Select[tuple[str]]:
    """The ids of what several people proposed."""
    return select(proposals.c.memory).group_by(proposals.c.memory).having(func.count() > 1)


def drop_proposals(connection: Connection, memories: Collection[str]) -> None:
    """Deletes who proposed these memories, and who proposed what waits in words of these."""
    waiting = select(listed.c.memory).where(listed.c.waits.is_not(None))
    gone = proposals.c.original.in_(memories) & proposals.c.memory.in_(waiting)
    connection.execute(delete(proposals).where(proposals.c.memory.in_(memories) | gone))
