"""What an erasure took away: a row per job with numbers by table, and no name or text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.people import receipts
from litellm_memory.database.tables import upsert_all

RECEIPTS_KEPT: Final = timedelta(days=30)
"""As long as the job can be looked up."""


class Receipts:
    """The receipts in one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: str, partition: str, counts: Mapping[str, int]) -> None:
        """Adds rows that were erased to a job's receipt; it is durable on return. Raises LedgerError."""
        await self._database.write(lambda c: _add(c, job, partition, counts))

    async def of(self, job: str) -> dict[str, int]:
        """Rows that a job has erased so far, by table. Raises LedgerError."""
        return await self._database.read(lambda c: _counts(c, job))


def _add(connection: Connection, job: str, partition: str, counts: Mapping[str, int]) -> None:
    now = datetime.now(UTC)
    connection.execute(delete(receipts).where(receipts.c.at < now - RECEIPTS_KEPT))
    summed = dict(Counter(_counts(connection, job)) + Counter(counts))
    if summed:
        upsert_all(connection, receipts, [{"job": job, "partition": partition, "counts": summed, "at": now}])


def _counts(connection: Connection, job: str) -> dict[str, int]:
    return dict(connection.scalar(select(receipts.c.counts).where(receipts.c.job == job)) or {})
