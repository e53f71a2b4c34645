"""Facts about the whole ledger: which store it belongs to, and when a task of one worker at a time last ran."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.tables import FILLED, facts, insert_new, upsert_all
from litellm_memory.errors import StoreError

OTHER_STORE: Final = (
    "Chroma holds another store than the one that the ledger belongs to: restore both from one backup, or "
    "stop the proxy and run `litellm-memory check --rebuild` to go on with what is there."
)
_JOURNAL: Final = "journal:"
"""What the name of a journal's position begins with."""


class Facts:
    """The facts in one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expect_store(self, store_id: str) -> None:
        """Records, when first called, which store holds the memories of this ledger.

        Raises StoreError when a later call names another store: the files were lost and Chroma created new ones.
        """
        known = await self._database.write(lambda c: _store_of(c, store_id))
        if known != store_id:
            raise StoreError(OTHER_STORE)

    async def taken_over(self, log: str) -> tuple[int, int]:
        """The position up to which the journal with this id was taken over; (0, 0) before anything was."""
        query = select(facts.c.value).where(facts.c.name == f"{_JOURNAL}{log}")
        value = await self._database.read(lambda c: c.scalar(query))
        segment, _, offset = (value or "0:0").partition(":")
        return int(segment), int(offset)

    def belongs_to(self, store_id: str) -> None:
        """Records durably that the memories are in this store. Blocks the calling thread."""
        self._database.submit(lambda c: _belongs_to(c, store_id)).result()

    async def take_turn(self, work: str, *, every: timedelta, now: datetime) -> bool:
        """True for one caller in each period of ``every``, across all workers and hosts; claims the period for it."""
        return await self._database.write(lambda c: _take_turn(c, f"turn:{work}", every, now))


def note_taken_over(connection: Connection, log: str, segment: int, offset: int) -> None:
    """Records the position up to which a journal was taken over."""
    upsert_all(connection, facts, [{"name": f"{_JOURNAL}{log}", "value": f"{segment}:{offset}"}])


def _store_of(connection: Connection, store_id: str) -> str:
    insert_new(connection, facts, {"name": "store", "value": store_id})
    return str(connection.scalar(select(facts.c.value).where(facts.c.name == "store")))


def _belongs_to(connection: Connection, store_id: str) -> None:
    upsert_all(connection, facts, [{"name": "store", "value": store_id}])
    # The rows of lists may not match this store.
    connection.execute(delete(facts).where(facts.c.name == FILLED))


def _take_turn(connection: Connection, turn: str, every: timedelta, now: datetime) -> bool:
    # ISO times in UTC sort like the times themselves.
    if insert_new(connection, facts, {"name": turn, "value": now.isoformat()}):
        return True
    due = facts.c.value <= (now - every).isoformat()
    taken = connection.execute(update(facts).where(facts.c.name == turn, due).values(value=now.isoformat()))
    return int(taken.rowcount) == 1
