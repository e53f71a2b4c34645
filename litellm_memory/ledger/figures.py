"""Counters of a host's workers, as sums: each worker adds its own, and the sums outlive it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy import Connection, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import add_to_all, figures

Figure: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""A counter's name, and its labels sorted by name."""
FIGURES_KEPT: Final = timedelta(days=90)
"""How long the counters of a host that is gone are kept, and those of each day."""
ALL_HOSTS: Final = "*"  # Instead of a host, where it does not matter which one counted.


class Figures:
    """The counters of one host in one ledger."""

    def __init__(self, database: Database, *, host: str) -> None:
        self._database = database
        self._host = host

    async def add(self, grown: Mapping[Figure, float]) -> None:
        """Adds these amounts to the sums; returns once that is durable. Raises LedgerError."""
        rows = [
            {"host": self._host, "name": name, "labels": json.dumps(labels), "value": value, "at": datetime.now(UTC)}
            for (name, labels), value in grown.items()
        ]
        await self._database.write(lambda connection: add_to_all(connection, figures, "value", rows))

    async def all(self) -> dict[Figure, float]:
        """The sums over this host's workers. Raises LedgerError."""
        return await self._database.read(self._sums)

    async def forgotten(self, partition: str) -> dict[str, int]:
        """How many memories of a partition were forgotten on each day (ISO) of the last FIGURES_KEPT."""
        query = select(figures).where(figures.c.host == ALL_HOSTS, figures.c.name == partition)
        return await self._database.read(lambda c: {row.labels: int(row.value) for row in c.execute(query)})

    def _sums(self, connection: Connection) -> dict[Figure, float]:
        rows = connection.execute(select(figures).where(figures.c.host == self._host))
        return {(row.name, tuple((name, value) for name, value in json.loads(row.labels))): row.value for row in rows}


def count_forgotten(connection: Connection, counts: Mapping[str, int], now: datetime) -> None:
    """Adds to the number of memories that each partition forgot today."""
    day = {"host": ALL_HOSTS, "labels": now.date().isoformat(), "at": now}
    rows = [{**day, "name": partition, "value": count} for partition, count in counts.items()]
    if rows:
        add_to_all(connection, figures, "value", rows)


def prune_figures(connection: Connection, now: datetime) -> int:
    """Drops counters that were not updated for FIGURES_KEPT; returns how many."""
    old = delete(figures).where(figures.c.host != "", figures.c.at < now - FIGURES_KEPT)
    return int(connection.execute(old).rowcount)
