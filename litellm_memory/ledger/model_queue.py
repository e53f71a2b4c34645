"""Exchanges that wait to be read by a model, by conversation, and what reading cost each day in tokens and dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.tables import aware, insert_all_new, insert_new, model_queue, spending
from litellm_memory.models import Exchange, Reply, Scope

BATCH: Final = 32
"""Largest batch of exchanges."""
LEASE: Final = timedelta(minutes=5)
"""An exchange that a worker took and did not finish within this time is taken by another."""
KEPT: Final = timedelta(days=7)
"""An exchange that could not be read for this long is dropped: during an outage of the model, texts must not pile
up."""


@dataclass(frozen=True, slots=True)
class QueuedExchange:
    """One exchange that waits to be read, and the number of failed attempts."""

    exchange: Exchange
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What reading cost on one day in tokens and dollars, including reservations for calls in flight."""

    tokens: int = 0
    cost: float = 0.0


class ModelQueue:
    """The exchanges in one ledger that wait for a model, and what each day's reading cost."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, exchanges: Sequence[Exchange]) -> None:
        """Adds exchanges; returns once they are durable. One that is queued already stays as it is."""
        rows = [_row(exchange) for exchange in exchanges]
        if rows:
            await self._database.write(lambda c: insert_all_new(c, model_queue, rows))

    async def take(self, now: datetime, *, quiet: timedelta, after: str = "") -> list[QueuedExchange]:
        """A leased batch of a conversation that went ``quiet``, of the partition ``after`` that one; else nothing."""
        return await self._database.write(lambda c: _take(c, now, quiet, after))

    async def done(self, *marks: str) -> None:
        """Removes messages that were read or are given up, with their words."""
        await self._database.write(lambda c: _drop(c, marks))

    async def later(self, *marks: str, at: datetime, failed: bool) -> None:
        """Postpones these messages to ``at``; ``failed`` counts an attempt."""
        await self._database.write(lambda c: _later(c, marks, at, failed))

    async def waiting(self) -> int:
        """How many exchanges wait."""
        return await self._database.write(_waiting)

    # Cost

    async def reserve(self, day: date, asked: Spent, *, most: Spent) -> bool:
        """Reserves ``asked`` for a call; False, with nothing reserved, when that would exceed ``most`` for the day."""
        return await self._database.write(lambda c: _reserve(c, day, asked, most))

    async def settle(self, day: date, asked: Spent, used: Spent) -> None:
        """Replaces a call's reservation with what it used."""
        await self._database.write(lambda c: _add(c, day, used.tokens - asked.tokens, used.cost - asked.cost))

    async def spent(self, day: date) -> Spent:
        """The cost and the reservations of a day."""
        return await self._database.write(lambda c: _spent(c, day))


def _row(exchange: Exchange) -> dict[str, Any]:
    scope = exchange.scope
    return {
        "mark": exchange.mark,
        "namespace": scope.namespace,
        "conversation": _conversation(scope),
        "call": exchange.id,
        "scope": asdict(scope),
        "text": exchange.text,
        "reply": exchange.reply.text if exchange.reply else None,
        "said": exchange.said,
        "model": exchange.model,
        "attempts": 0,
        "not_before": datetime.fromtimestamp(0, UTC),
        "written": datetime.now(UTC),
    }


def _conversation(scope: Scope) -> str:
    """Exchanges with the same value are read together: a session, or else what one user says in one project."""
    parts = (scope.namespace, scope.project or "", scope.session or "")
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _take(connection: Connection, now: datetime, quiet: timedelta, after: str) -> list[QueuedExchange]:
    connection.execute(delete(model_queue).where(model_queue.c.written < now - KEPT))
    newest, whose = func.max(model_queue.c.written), func.min(model_queue.c.scope["partition"].as_string())
    ready = (
        select(model_queue.c.conversation)
        .group_by(model_queue.c.conversation)
        .having(newest <= now - quiet, func.max(model_queue.c.not_before) <= now)
        .order_by(whose <= after, whose, newest)
        .limit(1)
    )
    conversation = connection.scalar(ready)
    if conversation is None:
        return []
    mine = (
        select(model_queue.c.mark)
        .where(model_queue.c.conversation == conversation, model_queue.c.not_before <= now)
        .order_by(model_queue.c.said)
        .limit(BATCH)
    )
    # Of two workers that see the same conversation, the second finds ``not_before`` moved.
    leased = (
        update(model_queue)
        .where(model_queue.c.mark.in_(mine), model_queue.c.not_before <= now)
        .values(not_before=now + LEASE)
    )
    rows = connection.execute(leased.returning(model_queue)).all()
    return sorted((_queued(row) for row in rows), key=lambda one: one.exchange.said)


def _queued(row: Any) -> QueuedExchange:
    exchange = Exchange(
        id=row.call,
        scope=Scope(**row.scope),
        mark=row.mark,
        text=row.text,
        said=aware(row.said),
        model=row.model,
        reply=Reply(row.reply, complete=True) if row.reply else None,
    )
    return QueuedExchange(exchange, row.attempts)


def _drop(connection: Connection, marks: Sequence[str]) -> None:
    connection.execute(delete(model_queue).where(model_queue.c.mark.in_(marks)))


def _waiting(connection: Connection) -> int:
    return int(connection.scalar(select(func.count()).select_from(model_queue)) or 0)


def _later(connection: Connection, marks: Sequence[str], at: datetime, failed: bool) -> None:
    changed = {"not_before": at, "attempts": model_queue.c.attempts + (1 if failed else 0)}
    connection.execute(update(model_queue).where(model_queue.c.mark.in_(marks)).values(changed))


def _reserve(connection: Connection, day: date, asked: Spent, most: Spent) -> bool:
    insert_new(connection, spending, {"day": day.isoformat(), "tokens": 0, "cost": 0.0})
    fits = (
        update(spending)
        .where(
            spending.c.day == day.isoformat(),
            spending.c.tokens + asked.tokens <= most.tokens,
            spending.c.cost + asked.cost <= most.cost,
        )
        .values(tokens=spending.c.tokens + asked.tokens, cost=spending.c.cost + asked.cost)
    )
    return bool(connection.execute(fits).rowcount)


def _add(connection: Connection, day: date, tokens: int, cost: float) -> None:
    added = {"tokens": spending.c.tokens + tokens, "cost": spending.c.cost + cost}
    connection.execute(update(spending).where(spending.c.day == day.isoformat()).values(added))


def _spent(connection: Connection, day: date) -> Spent:
    row = connection.execute(select(spending).where(spending.c.day == day.isoformat())).first()
    return Spent(row.tokens, row.cost) if row else Spent()
