"""The journal: exchanges still to be learned, each owned by one worker; and the marks of those that were learned."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.tables import aware, insert_all_new, insert_new, journal, learned
from litellm_memory.ledger.dead_letters import is_dead
from litellm_memory.models import Exchange, Reply, Scope

SILENT: Final = timedelta(minutes=15)
"""A worker on another host that has written nothing for this long is considered gone: its exchanges are adopted."""

# Built once, because these run with every request: SQLAlchemy takes longer to build a statement than to run it.
_LEARNED: Final = select(learned.c.mark).where(learned.c.mark == bindparam("of"))
_ANSWERED: Final = update(journal).where(journal.c.mark == bindparam("of"))
_READY: Final = (
    select(journal)
    .where(journal.c.worker == bindparam("of"), journal.c.answered.is_(True))
    .order_by(journal.c.said)
    .limit(bindparam("limit"))
)


class Journal:
    """The journal of one ledger, from the point of view of one worker."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def accept(self, exchange: Exchange) -> Future[bool]:
        """A future that is True once the person's words are durable, False when this message was learned before."""
        return self._database.submit_soon(lambda c: _accept(c, exchange, self.worker))

    def answered(self, mark: str, reply: Reply | None) -> Future[None]:
        """A future that is done once the answer is durable; ``reply`` None: the call failed."""
        return self._database.submit_soon(lambda c: _answered(c, mark, reply))

    async def ready(self, limit: int) -> list[Exchange]:
        """This worker's exchanges that were answered, oldest first; includes writes that are still queued."""
        return await self._database.write(lambda c: _ready(c, self.worker, limit))

    async def done(self, *marks: str) -> None:
        """Marks messages as learned and drops their words from the journal."""
        await self._database.write(lambda c: _done(c, marks))

    async def adopt(self) -> int:
        """Takes over the exchanges of workers that are gone; returns how many."""
        return await self._database.write(lambda c: _adopt(c, self.worker))

    async def unlearned(self) -> int:
        """How many exchanges of all workers are still to be learned."""
        return await self._database.read(lambda c: int(c.scalar(select(func.count()).select_from(journal)) or 0))


def _accept(connection: Connection, exchange: Exchange, worker: str) -> bool:
    again = connection.scalar(_LEARNED, {"of": exchange.mark}) is not None
    row = {
        "mark": exchange.mark,
        "call": exchange.id,
        "scope": asdict(exchange.scope),
        "text": exchange.text,
        "said": exchange.said,
        "model": exchange.model,
        "answered": False,
        "reply": None,
        "reply_tools": False,
        "again": again,
        "worker": worker,
        "written": datetime.now(UTC),
    }
    if not insert_new(connection, journal, row):
        # The message was sent again before it was learned: the latest attempt's answer counts, and its worker learns
        # it.
        connection.execute(
            update(journal).where(journal.c.mark == exchange.mark).values(worker=worker, written=row["written"])
        )
    return not again


def _answered(connection: Connection, mark: str, reply: Reply | None) -> None:
    kept = reply if reply is not None and reply.complete and reply.text else None
    values: dict[str, Any] = {"answered": True, "written": datetime.now(UTC)}
    if kept is not None:
        values |= {"reply": kept.text, "reply_tools": kept.tools}
    connection.execute(_ANSWERED, {"of": mark, **values})


def _ready(connection: Connection, worker: str, limit: int) -> list[Exchange]:
    return [
        Exchange(
            id=row.call,
            scope=Scope(**row.scope),
            mark=row.mark,
            text=row.text,
            said=aware(row.said),
            model=row.model,
            reply=Reply(row.reply, tools=row.reply_tools, complete=True) if row.reply else None,
            again=row.again,
        )
        for row in connection.execute(_READY, {"of": worker, "limit": limit})
    ]


def _done(connection: Connection, marks: Sequence[str]) -> None:
    now = datetime.now(UTC)
    insert_all_new(connection, learned, [{"mark": mark, "at": now} for mark in marks])
    connection.execute(delete(journal).where(journal.c.mark.in_(marks)))


def _adopt(connection: Connection, worker: str) -> int:
    now = datetime.now(UTC)
    held: dict[str, datetime] = {
        row[0]: aware(row[1])
        for row in connection.execute(
            select(journal.c.worker, func.max(journal.c.written))
            .where(journal.c.worker != worker, ~is_dead())
            .group_by(journal.c.worker)
        )
    }
    gone = [name for name, written in held.items() if _is_gone(name, silent=now - written > SILENT)]
    if not gone:
        return 0
    return int(
        connection.execute(
            update(journal).where(journal.c.worker.in_(gone)).values(worker=worker, answered=True)
        ).rowcount
    )


def _is_gone(worker: str, *, silent: bool) -> bool:
    """True when a worker's process on this host has ended, or one on another host is ``silent``."""
    host, pid, _ = worker.rsplit(":", 2)
    if host != socket.gethostname():
        return silent
    with suppress(PermissionError):
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
    return False
