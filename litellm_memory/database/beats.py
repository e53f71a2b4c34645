"""Which of the keepers that share one database are alive: those whose beat goes on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, String, Table, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import metadata, upsert_all

STILL_LOOKS: Final = 6
"""A keeper whose beat has not moved for so many looks of another is taken for dead. Looks, not seconds: hosts' clocks
differ, and while the database is away nobody's beat moves and nobody looks."""

keepers = Table(
    "keepers",
    metadata,
    Column("keeper", String(256), primary_key=True),
    Column("beat", BigInteger, nullable=False),
    comment="A number that each host's keeper raises as long as it is alive.",
)


class Beats:
    """The beat of one keeper, and what it sees of the others'."""

    def __init__(self, database: Database, keeper: str) -> None:
        self._database, self._keeper = database, keeper
        self._beat = 0
        self._seen: dict[str, tuple[int, int]] = {}
        """The beat of each other keeper, and for how many looks it has stood still."""

    async def ended(self) -> list[str]:
        """Raises this keeper's beat, and returns the keepers whose beat stands still. Raises LedgerError."""
        self._beat += 1
        beats = await self._database.write(lambda c: _raise(c, self._keeper, self._beat))
        self._seen = {name: (beat, self._still(name, beat)) for name, beat in beats.items()}
        return [name for name, (_, looks) in self._seen.items() if looks >= STILL_LOOKS]

    def _still(self, name: str, beat: int) -> int:
        before, looks = self._seen.get(name, (None, 0))
        return looks + 1 if before == beat else 0


def bury(connection: Connection, ended: Collection[str]) -> None:
    """Forgets keepers that have ended; one that was only slow shows itself again."""
    connection.execute(delete(keepers).where(keepers.c.keeper.in_(ended)))


def _raise(connection: Connection, keeper: str, beat: int) -> dict[str, int]:
    """The beats of the other keepers."""
    upsert_all(connection, keepers, [{"keeper": keeper, "beat": beat}])
    others = select(keepers.c.keeper, keepers.c.beat).where(keepers.c.keeper != keeper)
    return {name: int(told) for name, told in connection.execute(others)}
