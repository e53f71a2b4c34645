"""What the workers of a host counted, as sums: each adds its own, and all of them outlive any one worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy import Connection, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import add_to_all, figures

Figure: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a figure, and its labels in the order of their names."""
FIGURES_KEPT: Final = timedelta(days=90)
"""How long the counts of a host that is gone are kept."""


class Figures:
    """The figures of one host in one ledger."""

    def __init__(self, database: Database, *, host: str) -> None:
        self._database = database
        self._host = host

    async def add(self, grown: Mapping[Figure, float]) -> None:
        """Returns once these amounts are added to the sums and durable. Raises LedgerError."""
        rows = [
            {"host": self._host, "name": name, "labels": json.dumps(labels), "value": value, "at": datetime.now(UTC)}
            for (name, labels), value in grown.items()
        ]
        await self._database.write(lambda connection: add_to_all(connection, figures, "value", rows))

    async def all(self) -> dict[Figure, float]:
        """The sums of this host's workers. Raises LedgerError."""
        return await self._database.read(self._sums)

    def _sums(self, connection: Connection) -> dict[Figure, float]:
        rows = connection.execute(select(figures).where(figures.c.host == self._host))
        return {(row.name, tuple((name, value) for name, value in json.loads(row.labels))): row.value for row in rows}


def prune_figures(connection: Connection, now: datetime) -> int:
    """How many figures of hosts that are gone were dropped: untouched for FIGURES_KEPT."""
    old = delete(figures).where(figures.c.host != "", figures.c.at < now - FIGURES_KEPT)
    return int(connection.execute(old).rowcount)
