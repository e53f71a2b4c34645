"""Which partitions hold memories: a writer with the master key must name one when there are several."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import insert_new, partitions


class Partitions:
    """The partitions of one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: set[str] = set()

    def note(self, partition: str) -> None:
        """Records that ``partition`` holds memories; does not wait."""
        if partition not in self._noted:
            self._noted.add(partition)
            row = {"partition": partition, "at": datetime.now(UTC)}
            self._database.submit(lambda connection: insert_new(connection, partitions, row))

    async def all(self) -> frozenset[str]:
        """Every partition that ever held a memory. Raises LedgerError."""
        return await self._database.read(_all) | self._noted


def _all(connection: Connection) -> frozenset[str]:
    return frozenset(connection.scalars(select(partitions.c.partition)))
