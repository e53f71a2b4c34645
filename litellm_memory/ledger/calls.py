"""What calls cost: one row a call, and their sums by client, model, user, project and day."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import Connection, case, func, select, update

from litellm_memory.ledger.tables import calls, upsert_all

Grouping: TypeAlias = Literal["client", "model", "user", "project", "day"]
GROUPINGS: Final[tuple[Grouping, ...]] = get_args(Grouping)
UNWRITTEN: Final = 10_000
"""Most calls that wait for ``flush``; past that the newest are lost, and no request waits."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What one client request cost. ``cost`` is in dollars as LiteLLM reports it, times are seconds."""

    id: str
    at: datetime
    partition: str
    user: str
    client: str | None
    project: str | None
    model_asked: str | None
    model: str | None
    provider: str | None
    kind: str | None
    stream: bool
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    memory_tokens: int
    cost: float
    latency: float
    first_token: float | None
    status: str
    """``success`` or ``failure``; a call whose retry or fallback succeeded is a success."""
    error: str | None
    retries: int
    finish_reason: str | None
    recalled: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The sums of one group of calls. ``feedback`` is the mean of what people said, from -1 to 1."""

    group: tuple[str | None, ...]
    calls: int
    failures: int
    retries: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    memory_tokens: int
    recalled: int
    cost: float
    latency: float
    """Mean seconds of a call."""
    feedback: float | None


class Calls:
    """The calls of one ledger. ``read`` and ``submit`` run a function on its database."""

    def __init__(
        self,
        read: Callable[[Callable[[Connection], list[Usage]]], Awaitable[list[Usage]]],
        submit: Callable[[Callable[[Connection], Any]], Future[Any]],
    ) -> None:
        self._read = read
        self._submit = submit
        self._unwritten: dict[str, CallRecord] = {}

    def note(self, call: CallRecord) -> None:
        """Notes a call, or again with what became of it; ``flush`` writes it down."""
        if call.id in self._unwritten or len(self._unwritten) < UNWRITTEN:
            self._unwritten[call.id] = call

    def flush(self) -> Future[None] | None:
        """Writes down in the background what was noted since the last call; None when that is nothing."""
        if not self._unwritten:
            return None
        noted, self._unwritten = list(self._unwritten.values()), {}
        return self._submit(lambda connection: upsert_all(connection, calls, [asdict(call) for call in noted]))

    async def usage(
        self, partition: str, by: Sequence[Grouping], *, since: datetime | None, until: datetime | None
    ) -> list[Usage]:
        """The sums of a partition's calls in a span of time, by group, the dearest first. Raises LedgerError."""
        await self._written()
        return await self._read(lambda connection: _usage(connection, partition, by, since, until))

    async def rate(self, partition: str, call: str, score: float) -> bool:
        """False when there is no such call in the partition; else what a person thought of its answer is durable."""
        await self._written()
        return bool(await asyncio.wrap_future(self._submit(lambda c: _rate(c, partition, call, score))))

    async def _written(self) -> None:
        if writing := self.flush():
            await asyncio.gather(asyncio.wrap_future(writing), return_exceptions=True)


def _usage(
    connection: Connection, partition: str, by: Sequence[Grouping], since: datetime | None, until: datetime | None
) -> list[Usage]:
    groups = [func.date(calls.c.at) if name == "day" else calls.c[name] for name in by]
    sums = [
        func.count(),
        func.sum(case((calls.c.status == "failure", 1), else_=0)),
        *(func.sum(calls.c[name]) for name in SUMMED),
        func.avg(calls.c.latency),
        func.avg(calls.c.feedback),
    ]
    query = select(*groups, *sums).where(calls.c.partition == partition)
    if since is not None:
        query = query.where(calls.c.at >= since)
    if until is not None:
        query = query.where(calls.c.at < until)
    found = [
        Usage(tuple(None if part is None else str(part) for part in row[: len(by)]), *row[len(by) :])
        for row in connection.execute(query.group_by(*groups))
        # Without groups SQL sums up nothing to one row.
        if row[len(by)]
    ]
    return sorted(found, key=lambda usage: (-usage.cost, -usage.calls, [part or "" for part in usage.group]))


_BOUND = {"group", "calls", "failures", "latency", "feedback"}
SUMMED: Final = tuple(field.name for field in fields(Usage) if field.name not in _BOUND)


def _rate(connection: Connection, partition: str, call: str, score: float) -> bool:
    rated = update(calls).where(calls.c.id == call, calls.c.partition == partition).values(feedback=score)
    return bool(connection.execute(rated).rowcount)
