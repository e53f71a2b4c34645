"""The order of lists: a row per memory, newest first, so that only the memories of one page are read from the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, tuple_

from litellm_memory.database.database import Database
from litellm_memory.database.tables import FILLED, facts, insert_all_new, listed, upsert_all
from litellm_memory.ledger.changes import publish
from litellm_memory.models import Memory

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class ListPosition:
    """A memory's position in every list: its creation in microseconds since 1970, then its id."""

    created: int
    memory: str


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which memories of a partition a list contains: those that match every given field."""

    namespace: str | None = None
    project: str | None = None
    waiting: bool = False
    """Only those that wait for review."""
    settled: bool = False
    """Only those that neither wait nor are superseded."""
    learned: bool = False
    """Only those that were learned from a request."""
    call: str | None = None
    since: datetime | None = None
    id: str | None = None
    """How the id begins, or what follows the 16 digits of its namespace."""

    def admits(self, memory: Memory) -> bool:
        """False when the record does not match its row any more: a correction changes the record a moment earlier."""
        if self.settled:
            return memory.review is None and memory.superseded_by is None
        return not self.waiting or memory.review is not None


class Listing:
    """The positions of all memories that share a ledger.

    A row is written before its record and deleted after it, so every memory has one. A killed process may leave a row
    without a record; readers skip it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, memories: Sequence[Memory]) -> None:
        """Inserts rows for memories that are about to be written; existing rows stay."""
        rows = [_row(memory) for memory in memories]
        await self._database.write(lambda c: insert_all_new(c, listed, rows))

    async def changed(self, memories: Sequence[Memory]) -> list[int]:
        """Updates the rows and publishes the changes; returns their numbers."""
        rows = [_row(memory) for memory in memories]
        pairs = [(memory.namespace, memory.id) for memory in memories]

        def write(connection: Connection) -> list[int]:
            if rows:
                upsert_all(connection, listed, rows)
            return publish(connection, pairs)

        return await self._database.write(write)

    async def page(
        self, partition: str, asked: ListFilter, *, after: ListPosition | None = None, limit: int | None = None
    ) -> list[ListPosition]:
        """The positions after ``after`` of the memories that match, newest first; all of them without a limit."""
        query = (
            select(listed.c.created, listed.c.memory)
            .where(*_conditions(partition, asked, after))
            .order_by(listed.c.created.desc(), listed.c.memory.desc())
            .limit(limit)
        )
        return await self._database.read(lambda c: [ListPosition(*row) for row in c.execute(query)])

    async def superseded_by(self, partition: str, successors: Sequence[str]) -> list[str]:
        """The ids of the memories of a partition that one of these superseded, in no order."""
        # Unordered: to sort, SQLite would scan the whole partition.
        taken = (listed.c.successor.is_not(None), listed.c.successor.in_(successors))
        query = select(listed.c.memory).where(listed.c.partition == partition, *taken)
        return await self._database.read(lambda c: list(c.scalars(query)))

    async def count(self, partition: str, *, waiting: bool = False) -> int:
        """How many memories a partition has, or how many of them wait for review."""
        query = select(func.count()).where(*_conditions(partition, ListFilter(waiting=waiting), None))
        return await self._database.read(lambda c: int(c.scalar(query) or 0))

    async def waiting(self) -> dict[str, int]:
        """How many memories of each partition wait for review, of those in which any does."""
        query = select(listed.c.partition, func.count()).where(listed.c.waits.is_not(None)).group_by(listed.c.partition)
        return await self._database.read(lambda c: {row[0]: int(row[1]) for row in c.execute(query)})

    async def is_filled(self, store_id: str) -> bool:
        """True when every memory of this store has a row."""
        query = select(facts.c.value).where(facts.c.name == FILLED)
        return bool(await self._database.read(lambda c: c.scalar(query)) == store_id)

    async def filled(self, store_id: str) -> None:
        """Records that every memory of this store has a row."""
        await self._database.write(lambda c: upsert_all(c, facts, [{"name": FILLED, "value": store_id}]))


def unlist(connection: Connection, memories: Collection[str]) -> dict[str, int]:
    """Deletes the rows of these memories; returns how many of each partition there were."""
    query = select(listed.c.partition, func.count()).where(listed.c.memory.in_(memories)).group_by(listed.c.partition)
    there = {row[0]: int(row[1]) for row in connection.execute(query)}
    connection.execute(delete(listed).where(listed.c.memory.in_(memories)))
    return there


def position_of(memory: Memory) -> ListPosition:
    """A memory's position in every list."""
    return ListPosition((memory.created - EPOCH) // MICROSECOND, memory.id)


def _conditions(partition: str, asked: ListFilter, after: ListPosition | None) -> list[ColumnElement[bool]]:
    # A namespace belongs to one partition. With both conditions SQLite might choose the partition's index.
    conditions = [listed.c.partition == partition if asked.namespace is None else listed.c.namespace == asked.namespace]
    if after is not None:
        conditions.append(tuple_(listed.c.created, listed.c.memory) < tuple_(after.created, after.memory))
    if asked.project is not None:
        conditions.append(listed.c.project == asked.project)
    if asked.waiting:
        conditions.append(listed.c.waits.is_not(None))
    if asked.settled:
        conditions += [listed.c.waits.is_(None), listed.c.successor.is_(None)]
    if asked.learned:
        conditions.append(listed.c.call.is_not(None))
    if asked.call is not None:
        conditions.append(listed.c.call == asked.call)
    if asked.since is not None:
        conditions.append(listed.c.created >= (asked.since - EPOCH) // MICROSECOND)
    if asked.id is not None:
        conditions.append(listed.c.memory.like(f"{asked.id}%") | listed.c.memory.like(f"{'_' * 16}{asked.id}%"))
    return conditions


def _row(memory: Memory) -> dict[str, Any]:
    return {
        "memory": memory.id,
        "namespace": memory.namespace,
        "partition": memory.partition,
        "created": position_of(memory).created,
        "project": memory.project,
        "waits": None if memory.review is None else 1,
        "call": memory.origin.call_id,
        "successor": memory.superseded_by and memory.superseded_by.id,
    }
