"""Exchanges still to be learned, each owned by one process; and the marks of those that were learned."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from litellm_memory.database.beats import Beats, bury
from litellm_memory.database.database import Database
from litellm_memory.database.said import sayings
from litellm_memory.database.tables import aware, insert_all_new, journal, learned
from litellm_memory.ledger.blocks import BLOCKS_KEPT
from litellm_memory.ledger.dead_letters import is_dead
from litellm_memory.models import Exchange, Reply, Scope

SILENT: Final = timedelta(minutes=15)
"""A worker on another host that has written nothing for this long is considered gone: an answer may take as long."""

# Built once, because these run with every request: SQLAlchemy takes longer to build a statement than to run it.
_OF_MARK: Final = update(journal).where(journal.c.mark == bindparam("of"))
_LEARNED: Final = select(learned.c.mark).where(learned.c.mark.in_(bindparam("marks", expanding=True)))
_WENT_ON: Final = (
    update(journal)
    .where(journal.c.mark.in_(bindparam("of", expanding=True)), journal.c.answered.is_(False))
    .values(answered=True, worker=bindparam("to"))
)
_WAITING: Final = select(journal.c.mark).where(journal.c.mark.in_(bindparam("marks", expanding=True)))
_READY: Final = (
    select(journal)
    .where(journal.c.worker == bindparam("of"), journal.c.answered.is_(True))
    .order_by(journal.c.said)
    .limit(bindparam("limit"))
)
_ANSWERED: Final = (
    select(
        journal.c.mark,
        func.row_number()
        .over(partition_by=journal.c.scope["partition"].as_string(), order_by=journal.c.said)
        .label("turn"),
    )
    .where(journal.c.worker == bindparam("of"), journal.c.answered.is_(True))
    .subquery()
)
_IN_TURN: Final = (
    select(journal)
    .join(_ANSWERED, _ANSWERED.c.mark == journal.c.mark)
    .order_by(_ANSWERED.c.turn, journal.c.said)
    .limit(bindparam("limit"))
)


class Exchanges:
    """The exchanges in one ledger, from the point of view of the keeper that learns them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._beats = Beats(database, self.worker)

    async def ready(self, limit: int) -> list[Exchange]:
        """This keeper's exchanges that were answered, oldest first; of more than ``limit``, those of all partitions in
        turn: nobody waits for all that another imports or says."""
        return await self._database.read(lambda c: _ready(c, self.worker, limit))

    async def done(self, *marks: str) -> None:
        """Marks messages as learned and drops their words from the journal."""
        await self._database.write(lambda c: _done(c, marks))

    async def adopt(self) -> int:
        """Takes over the exchanges of workers that are gone, and of keepers before this one; returns how many."""
        alone = self._database.is_sqlite
        return await self._database.write(lambda c: _adopt(c, self.worker, alone=alone))

    async def beat(self) -> int:
        """Shows other hosts that this keeper lives, and takes over what was answered of those that died; returns how
        many exchanges. To be called at even intervals."""
        ended = await self._beats.ended()
        return await self._database.write(lambda c: _inherit(c, self.worker, ended)) if ended else 0

    async def unlearned(self) -> int:
        """How many exchanges of all workers are still to be learned."""
        return await self._database.read(lambda c: int(c.scalar(select(func.count()).select_from(journal)) or 0))


def prune_learned(connection: Connection, now: datetime) -> int:
    """Drops the marks and sayings of messages that were learned from longer ago than BLOCKS_KEPT; returns how many.

    A mark keeps a message that a client sends once more from being learned twice. Only the newest message of a
    conversation is learned from, and one that nobody continued for so long has no frozen blocks either.
    """
    old = now - BLOCKS_KEPT
    gone = int(connection.execute(delete(learned).where(learned.c.at < old)).rowcount)
    # What an import told is as old as it was said, and was learned from today.
    kept = select(learned.c.mark)
    connection.execute(delete(sayings).where(sayings.c.said < old, sayings.c.mark.not_in(kept)))
    return gone


def exchange_row(exchange: Exchange, worker: str) -> dict[str, Any]:
    """The row of an exchange that is not answered yet, which ``worker`` is to see through."""
    return {
        "mark": exchange.mark,
        "call": exchange.id,
        "scope": asdict(exchange.scope),
        "text": exchange.text,
        "said": exchange.said,
        "model": exchange.model,
        "answered": False,
        "reply": None,
        "reply_tools": False,
        "again": exchange.again,
        "worker": worker,
        "written": datetime.now(UTC),
        "place": exchange.place,
        "before": exchange.before,
    }


def accept_exchanges(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts these rows, and notes which of the messages were learned before."""
    if not rows:
        return
    marks = [row["mark"] for row in rows]
    known = set(connection.scalars(_LEARNED, {"marks": marks}))
    told = [
        {
            **row,
            "again": row["mark"] in known,
            **{name: datetime.fromisoformat(row[name]) for name in ("said", "written")},
        }
        for row in rows
    ]
    waiting = set(connection.scalars(_WAITING, {"marks": marks}))
    insert_all_new(connection, journal, told)
    if waiting or len(set(marks)) < len(marks):
        # A message that was sent again before it was learned: the latest attempt's answer counts.
        again = [{"of": row["mark"], "worker": row["worker"], "written": row["written"]} for row in told]
        connection.execute(_OF_MARK, again)


def answer_exchanges(connection: Connection, rows: Sequence[dict[str, Any]], worker: str) -> None:
    """Notes the answers to these marks; ``worker`` is to learn from them."""
    noted: dict[str, Any] = {"answered": True, "written": datetime.now(UTC), "worker": worker}
    failed = [{"of": row["mark"], **noted} for row in rows if row["reply"] is None]
    told = [
        {"of": row["mark"], **noted, "reply": row["reply"], "reply_tools": row["tools"]}
        for row in rows
        if row["reply"] is not None
    ]
    for values in (failed, told):
        if values:
            connection.execute(_OF_MARK, values)


def go_on(connection: Connection, marks: Sequence[str], worker: str) -> None:
    """Notes that these messages get no answer any more, for their conversations go on: a person interrupts, or a tool
    loop ends without one. ``worker`` is to learn from them."""
    if marks:
        connection.execute(_WENT_ON, {"of": marks, "to": worker})


def _ready(connection: Connection, worker: str, limit: int) -> list[Exchange]:
    found = connection.execute(_READY, {"of": worker, "limit": limit}).all()
    if len(found) == limit:
        found = connection.execute(_IN_TURN, {"of": worker, "limit": limit}).all()
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
            place=row.place,
            before=row.before,
        )
        for row in found
    ]


def _done(connection: Connection, marks: Sequence[str]) -> None:
    now = datetime.now(UTC)
    insert_all_new(connection, learned, [{"mark": mark, "at": now} for mark in marks])
    connection.execute(delete(journal).where(journal.c.mark.in_(marks)))


def _adopt(connection: Connection, worker: str, *, alone: bool) -> int:
    """``alone``: no other host has a keeper on this ledger."""
    now = datetime.now(UTC)
    of_others = (journal.c.worker != worker, ~is_dead())
    # A container that starts again has the same host name and the same process ids.
    inherited = _adopt_answered(connection, worker) if alone else 0
    held: dict[str, datetime] = {
        row[0]: aware(row[1])
        for row in connection.execute(
            select(journal.c.worker, func.max(journal.c.written)).where(*of_others).group_by(journal.c.worker)
        )
    }
    gone = [name for name, written in held.items() if _is_gone(name, silent=now - written > SILENT)]
    if not gone:
        return inherited
    return inherited + int(
        connection.execute(
            update(journal).where(journal.c.worker.in_(gone)).values(worker=worker, answered=True)
        ).rowcount
    )


def _inherit(connection: Connection, worker: str, ended: Collection[str]) -> int:
    bury(connection, ended)
    return _adopt_answered(connection, worker, ended)


def _adopt_answered(connection: Connection, worker: str, of: Collection[str] | None = None) -> int:
    """``of``: of these keepers; of all when None."""
    left = update(journal).where(journal.c.worker != worker, ~is_dead(), journal.c.answered.is_(True))
    if of is not None:
        left = left.where(journal.c.worker.in_(of))
    return int(connection.execute(left.values(worker=worker)).rowcount)


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
