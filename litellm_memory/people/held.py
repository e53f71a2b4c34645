"""All that the ledger holds on a person, table by table, as rows to hand over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, select, tuple_

from litellm_memory.database.database import Database
from litellm_memory.database.people import holders, proposals, receipts, switches
from litellm_memory.database.said import removed
from litellm_memory.database.tables import (
    answers,
    aware,
    blocks,
    calls,
    days,
    jobs,
    journal,
    model_queue,
    paths,
    traces,
)
from litellm_memory.models import namespace

BATCH: Final = 500
"""Rows that are read at a time."""


@dataclass(frozen=True, slots=True)
class Whose:
    """A person: these users of a partition; ``alone``: they are all of it."""

    partition: str
    users: frozenset[str]
    alone: bool

    @property
    def spaces(self) -> frozenset[str]:
        """The namespaces of the users."""
        return frozenset(namespace(self.partition, user) for user in self.users)


_Condition: TypeAlias = Callable[[Table, Whose], ColumnElement[bool]]


def _by_namespace(table: Table, whose: Whose) -> ColumnElement[bool]:
    return table.c.namespace.in_(whose.spaces)


def _by_user(table: Table, whose: Whose) -> ColumnElement[bool]:
    own = table.c.partition == whose.partition
    return own if whose.alone else and_(own, table.c.user.in_(whose.users))


def _by_scope(table: Table, whose: Whose) -> ColumnElement[bool]:
    own = table.c.scope["partition"].as_string() == whose.partition
    return own if whose.alone else and_(own, table.c.scope["user"].as_string().in_(whose.users))


def _by_partition(table: Table, whose: Whose) -> ColumnElement[bool]:
    own = table.c.partition == whose.partition
    return own if whose.alone else and_(own, table.c.namespace.in_(whose.spaces))


def _by_whole_partition(table: Table, whose: Whose) -> ColumnElement[bool]:
    # A job names nobody once it is done, so those of one among several users cannot be told from the others'.
    return and_(table.c.partition == whose.partition, whose.alone)  # type: ignore[arg-type]  # a literal is fine


PARTS: Final[Mapping[str, tuple[Table, _Condition]]] = {
    "holder": (holders, _by_partition),
    "switch": (switches, _by_partition),
    "proposal": (proposals, _by_partition),
    "waiting": (journal, _by_scope),
    "unread": (model_queue, _by_scope),
    "removed": (removed, _by_namespace),
    "block": (blocks, _by_namespace),
    "answer": (answers, _by_namespace),
    "trace": (traces, _by_user),
    "call": (calls, _by_user),
    "day": (days, _by_user),
    "path": (paths, _by_namespace),
    "erasure": (jobs, _by_whole_partition),
    "receipt": (receipts, _by_whole_partition),
}
"""What is handed over of each table, by the name that its lines have. Memories come from the store."""
TOLD_BY_OTHERS: Final[Mapping[str, str]] = {
    "listed": "the order of memories, which are handed over themselves",
    "texts": "keyed hashes of the texts of memories, which are handed over themselves",
    "learned": "marks of messages: keyed hashes that name nobody",
    "sayings": "marks of what was said, learned and asked to be forgotten: keyed hashes that name nobody",
    "changes": "ids of memories that changed within the hour",
    "forgotten": "ids of memories that are gone, until files are rewritten",
    "partitions": "that the partition is there",
    "facts": "of the whole ledger",
    "figures": "sums of a host",
    "keepers": "that a host's keeper is alive",
    "spending": "sums of a day",
}
"""The other tables, and why they are not handed over."""


async def rows_of(database: Database, whose: Whose) -> AsyncIterator[list[dict[str, Any]]]:
    """Every row on a person, in batches; each has its ``part``. Raises LedgerError."""
    for part, (table, condition) in PARTS.items():
        after: tuple[Any, ...] | None = None
        while True:
            found = await database.read(partial(_page, table=table, of=condition(table, whose), after=after))
            yield [{"part": part, **_plain(row)} for row in found]
            if len(found) < BATCH:
                break
            after = tuple(found[-1][column.name] for column in table.primary_key)


def delete_waiting(connection: Connection, partition: str, since: datetime) -> int:
    """Deletes what was said in a partition from then on and waits to be learned; returns how many messages."""
    return sum(
        connection.execute(
            delete(table).where(table.c.scope["partition"].as_string() == partition, table.c.said >= since)
        ).rowcount
        for table in (journal, model_queue)
    )


def _page(
    connection: Connection, *, table: Table, of: ColumnElement[bool], after: tuple[Any, ...] | None
) -> list[Mapping[str, Any]]:
    key = tuple_(*table.primary_key)
    query = select(table).where(of).order_by(*table.primary_key).limit(BATCH)
    if after is not None:
        query = query.where(key > tuple_(*after))
    return [dict(row._mapping) for row in connection.execute(query)]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    # SQLAlchemy names some columns by a subclass of str, which JSON refuses as a key.
    return {
        str(name): aware(value).isoformat() if isinstance(value, datetime) else value for name, value in row.items()
    }
