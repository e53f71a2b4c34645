"""Exchanges that a model has still to read, by conversation, and what reading costs: each day's tokens and dollars."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, delete, func, select, update

from litellm_memory.ledger.tables import insert_all_new, insert_new, spending, unread
from litellm_memory.models import Exchange, Reply, Scope

MOST: Final = 32
"""Exchanges that are read in one go."""
LEASE: Final = timedelta(minutes=5)
"""After this time what a worker took and never came back with is taken by another."""
KEPT: Final = timedelta(days=7)
"""What could not be read for so long is dropped: a model that is away must not make words pile up."""

Write: TypeAlias = Callable[[Callable[[Connection], Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Unread:
    """One exchange that waits to be read, and how often that failed."""

    exchange: Exchange
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What reading cost on one day: tokens and dollars, with those set aside for calls that are under way."""

    tokens: int = 0
    cost: float = 0.0


class Unreads:
    """What one ledger has unread. ``write`` runs a function on its database and raises LedgerError."""

    def __init__(self, write: Write) -> None:
        self._write = write

    async def add(self, exchanges: Sequence[Exchange]) -> None:
        """Returns once these exchanges are sure to be read; one that waits already stays as it is."""
        rows = [_row(exchange) for exchange in exchanges]
        if rows:
            await self._write(lambda c: insert_all_new(c, unread, rows))

    async def take(self, now: datetime, *, quiet: timedelta) -> list[Unread]:
        """What waits in one conversation that went ``quiet``, oldest first, for this worker alone; else nothing."""
        taken: list[Unread] = await self._write(lambda c: _take(c, now, quiet))
        return taken

    async def done(self, *marks: str) -> None:
        """These messages are read, or never will be; their words are dropped."""
        await self._write(lambda c: _drop(c, marks))

    async def later(self, *marks: str, at: datetime, failed: bool) -> None:
        """These messages are read at ``at`` or after; ``failed``: an attempt at them is counted."""
        await self._write(lambda c: _later(c, marks, at, failed))

    async def waiting(self) -> int:
        """How many exchanges wait."""
        return int(await self._write(lambda c: c.scalar(select(func.count()).select_from(unread))) or 0)

    # What it costs

    async def reserve(self, day: date, asked: Spent, *, most: Spent) -> bool:
        """True once ``asked`` is set aside for a call; False, and nothing changed, when the day would pass ``most``."""
        return bool(await self._write(lambda c: _reserve(c, day, asked, most)))

    async def settle(self, day: date, asked: Spent, used: Spent) -> None:
        """Puts what a call used in place of what was set aside for it."""
        await self._write(lambda c: _add(c, day, used.tokens - asked.tokens, used.cost - asked.cost))

    async def spent(self, day: date) -> Spent:
        """What was spent and set aside on a day."""
        spent: Spent = await self._write(lambda c: _spent(c, day))
        return spent


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
    """What is read together: a session where the client names one, else what one user says in one project."""
    parts = (scope.namespace, scope.project or "", scope.session or "")
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _take(connection: Connection, now: datetime, quiet: timedelta) -> list[Unread]:
    connection.execute(delete(unread).where(unread.c.written < now - KEPT))
    newest = func.max(unread.c.written)
    ready = (
        select(unread.c.conversation)
        .group_by(unread.c.conversation)
        .having(newest <= now - quiet, func.max(unread.c.not_before) <= now)
        .order_by(newest)
        .limit(1)
    )
    conversation = connection.scalar(ready)
    if conversation is None:
        return []
    mine = (
        select(unread.c.mark)
        .where(unread.c.conversation == conversation, unread.c.not_before <= now)
        .order_by(unread.c.said)
        .limit(MOST)
    )
    # Of two workers that see the same conversation, the second finds ``not_before`` moved.
    leased = update(unread).where(unread.c.mark.in_(mine), unread.c.not_before <= now).values(not_before=now + LEASE)
    rows = connection.execute(leased.returning(unread)).all()
    return sorted((_unread(row) for row in rows), key=lambda one: one.exchange.said)


def _unread(row: Any) -> Unread:
    exchange = Exchange(
        id=row.call,
        scope=Scope(**row.scope),
        mark=row.mark,
        text=row.text,
        # SQLite keeps no time zone.
        said=row.said if row.said.tzinfo else row.said.replace(tzinfo=UTC),
        model=row.model,
        reply=Reply(row.reply, complete=True) if row.reply else None,
    )
    return Unread(exchange, row.attempts)


def _drop(connection: Connection, marks: Sequence[str]) -> None:
    connection.execute(delete(unread).where(unread.c.mark.in_(marks)))


def _later(connection: Connection, marks: Sequence[str], at: datetime, failed: bool) -> None:
    changed = {"not_before": at, "attempts": unread.c.attempts + (1 if failed else 0)}
    connection.execute(update(unread).where(unread.c.mark.in_(marks)).values(changed))


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
