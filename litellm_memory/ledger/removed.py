"""Memories that a person wished to be forgotten: kept for ten minutes, so that the wish can be undone, then gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, select, tuple_

from litellm_memory.database.database import Database
from litellm_memory.database.said import removed
from litellm_memory.database.tables import forgotten, insert_all_new
from litellm_memory.ledger.erasures import note_forgotten
from litellm_memory.models import Memory

UNDO_FOR: Final = timedelta(minutes=10)
"""How long what a person's wish removed can be brought back."""
_MEMORIES: Final = TypeAdapter(list[Memory])


class Removed:
    """What was removed of late, in one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, memories: Sequence[Memory]) -> None:
        """Keeps memories that are about to be forgotten; returns once that is durable."""
        at = datetime.now(UTC)
        rows = [
            {"memory": one.id, "namespace": one.namespace, "partition": one.partition, "data": told, "at": at}
            for one, told in zip(memories, _MEMORIES.dump_python([*memories], mode="json"), strict=True)
        ]
        await self._database.write(lambda c: insert_all_new(c, removed, rows))

    async def get(self, partition: str, memory_id: str) -> Memory | None:
        """A removed memory of a partition; None for another id, and when it is too late."""
        of_id = (removed.c.memory == memory_id, removed.c.partition == partition)
        query = select(removed.c.data).where(*of_id, removed.c.at > datetime.now(UTC) - UNDO_FOR)
        data = await self._database.read(lambda c: c.scalar(query))
        return None if data is None else _MEMORIES.validate_python([data])[0]

    async def taken_back(self, memory: Memory) -> None:
        """Records that a memory is here again, so that no file is cleared of it."""
        await self._database.write(lambda c: _taken_back(c, memory))

    async def drop(self, *, until: datetime, partition: str | None = None) -> None:
        """Drops what was removed before a time; files may hold it until they are scrubbed."""
        query = select(removed.c.namespace, removed.c.memory).where(removed.c.at <= until)
        if partition is not None:
            query = query.where(removed.c.partition == partition)
        pairs = await self._database.read(lambda c: [(row[0], row[1]) for row in c.execute(query)])
        if pairs:
            await self._database.write(lambda c: _drop(c, pairs))

    async def drop_late(self) -> None:
        """Drops what can no longer be undone."""
        await self.drop(until=datetime.now(UTC) - UNDO_FOR)


def _drop(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    connection.execute(delete(removed).where(tuple_(removed.c.namespace, removed.c.memory).in_(pairs)))
    note_forgotten(connection, pairs)


def _taken_back(connection: Connection, memory: Memory) -> None:
    connection.execute(delete(removed).where(removed.c.memory == memory.id))
    connection.execute(delete(forgotten).where(forgotten.c.memory == memory.id))
