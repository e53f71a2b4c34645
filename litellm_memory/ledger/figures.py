"""What the workers of a host counted, as sums: each adds its own, and all of them outlive any one worker."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from sqlalchemy import Connection, select

from litellm_memory.ledger.tables import add_to_all, figures

Figure: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a figure, and its labels in the order of their names."""


class Figures:
    """The figures of one host in one ledger. ``read`` and ``write`` run a function on its database."""

    def __init__(
        self,
        read: Callable[[Callable[[Connection], dict[Figure, float]]], Awaitable[dict[Figure, float]]],
        write: Callable[[Callable[[Connection], None]], Awaitable[None]],
        *,
        host: str,
    ) -> None:
        self._read = read
        self._write = write
        self._host = host

    async def add(self, grown: Mapping[Figure, float]) -> None:
        """Returns once these amounts are added to the sums and durable. Raises LedgerError."""
        rows = [
            {"host": self._host, "name": name, "labels": json.dumps(labels), "value": value, "at": datetime.now(UTC)}
            for (name, labels), value in grown.items()
        ]
        await self._write(lambda connection: add_to_all(connection, figures, "value", rows))

    async def all(self) -> dict[Figure, float]:
        """The sums of this host's workers. Raises LedgerError."""
        return await self._read(self._sums)

    def _sums(self, connection: Connection) -> dict[Figure, float]:
        rows = connection.execute(select(figures).where(figures.c.host == self._host))
        return {(row.name, tuple((name, value) for name, value in json.loads(row.labels))): row.value for row in rows}
