"""Traces: what memory did to a request and why. They hold memory ids and no text, so no forgotten text survives
here."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, bindparam, delete, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.tables import aware, insert_all_new, traces
from litellm_memory.models import MemoryKind

UNWRITTEN: Final = 10_000
"""At most this many traces wait for ``flush``; beyond that the oldest are dropped, and no request waits."""

_COLUMNS: Final = ("id", "at", "partition", "user", "namespace")
# Appended as lines of text, which needs no read: it happens with every exchange.
_LEARNED: Final = (
    update(traces).where(traces.c.id == bindparam("of")).values(learned=traces.c.learned + bindparam("more"))
)


@dataclass(frozen=True, slots=True)
class TracedMemory:
    """A candidate: its score (0 to 1), the score's parts, and why it was left out, or None."""

    memory: str
    score: float
    why: Mapping[str, float] = field(default_factory=dict)
    left_out: str | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of something in an exchange: kept as a new memory, or dropped; or what happened to a known memory.

    ``memory`` is None where none was made.
    """

    what: Literal["kept", "merged", "superseded", "ended", "forgotten", "queued", "dropped"]
    reason: str = ""
    memory: str | None = None
    kind: MemoryKind | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """What memory did to one request. ``stages`` are milliseconds; ``count`` and ``tokens`` cover all its blocks."""

    id: str
    at: datetime
    partition: str
    user: str
    namespace: str
    status: str
    reason: str
    kind: str | None = None
    kind_reason: str | None = None
    project: str | None = None
    session: str | None = None
    client: str | None = None
    model: str | None = None
    route: str | None = None
    unreadable: tuple[str, ...] = ()
    """Names of the memory headers whose value could not be read."""
    count: int = 0
    tokens: int = 0
    carried: tuple[str, ...] = ()
    """The memories that the conversation carries."""
    limit: int | None = None
    budget: int | None = None
    min_score: float | None = None
    candidates: tuple[TracedMemory, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict)
    learned: tuple[Learned, ...] = ()
    """What was learned from the exchange; empty until then."""


_ABOUT: Final = tuple(field.name for field in fields(Trace) if field.name not in (*_COLUMNS, "learned"))


class Traces:
    """The traces in one ledger. ``count`` is called with how many memories were learned from which call."""

    def __init__(self, database: Database, *, count: Callable[[Mapping[str, int]], None]) -> None:
        self._database = database
        self._count = count
        self._unwritten: deque[Callable[[], Trace]] = deque(maxlen=UNWRITTEN)

    def add(self, trace: Callable[[], Trace]) -> None:
        """Queues a trace; ``flush`` builds and writes it, so that the request waits for neither."""
        self._unwritten.append(trace)

    def flush(self) -> Future[None] | None:
        """Writes, in the background and in one batch, what was queued since the last flush; None when that is nothing.

        The future is done once it is durable.
        """
        if not self._unwritten:
            return None
        noted = list(self._unwritten)
        self._unwritten.clear()
        return self._database.submit(lambda connection: _write(connection, noted))

    def learned(self, found: Mapping[str, Sequence[Learned]]) -> Future[None] | None:
        """Adds, in the background, what was learned to the traces with these ids; None when that is nothing."""
        rows = [{"of": trace, "more": _lines(learned)} for trace, learned in found.items() if learned]
        if not rows:
            return None
        self._count({trace: sum(one.what == "kept" for one in learned) for trace, learned in found.items()})
        self.flush()
        return self._database.submit(lambda connection: _add_learned(connection, rows))

    async def newest(self, partition: str, *, user: str | None, limit: int, before: str | None = None) -> list[Trace]:
        """A partition's traces, newest first; ``before``: those older than that trace. Raises LedgerError."""
        await self._written()
        return await self._database.read(lambda connection: _newest(connection, partition, user, limit, before))

    async def scopes(self, limit: int) -> list[tuple[str, str]]:
        """The distinct partitions and users of the last ``limit`` requests, latest first. Raises LedgerError."""
        last = select(traces).order_by(traces.c.at.desc()).limit(limit)
        read = await self._database.read(lambda connection: [_trace(row) for row in connection.execute(last)])
        return list(dict.fromkeys((trace.partition, trace.user) for trace in read))

    async def get(self, partition: str, trace: str) -> Trace | None:
        """One trace of a partition; None for an unknown or a foreign id. Raises LedgerError."""
        await self._written()
        found = await self._database.read(
            lambda c: [_trace(row) for row in c.execute(_of(partition).where(traces.c.id == trace))]
        )
        return found[0] if found else None

    async def _written(self) -> None:
        """Waits until this worker's traces are durable; on failure the following read raises."""
        if writing := self.flush():
            await asyncio.gather(asyncio.wrap_future(writing), return_exceptions=True)

    def prune(self, now: datetime, *, days: int, most: int) -> Future[None]:
        """Drops, in the background, traces older than ``days``, and the oldest beyond ``most``."""
        return self._database.submit(lambda connection: _prune(connection, now - timedelta(days=days), most))


def _write(connection: Connection, noted: Sequence[Callable[[], Trace]]) -> None:
    # A request that LiteLLM passes through its hooks twice keeps its first trace.
    insert_all_new(connection, traces, [_row(trace()) for trace in noted])


def _row(trace: Trace) -> dict[str, Any]:
    # Not ``asdict``: it deep-copies, which took longer than the search that a trace describes.
    about = {name: getattr(trace, name) for name in _ABOUT}
    about["candidates"] = [
        {"memory": near.memory, "score": near.score, "why": near.why, "left_out": near.left_out}
        for near in trace.candidates
    ]
    return {**{name: getattr(trace, name) for name in _COLUMNS}, "about": about}


def _add_learned(connection: Connection, rows: Sequence[Mapping[str, str]]) -> None:
    connection.execute(_LEARNED, rows)


def _lines(learned: Sequence[Learned]) -> str:
    return "".join(f"{json.dumps(asdict(one))}\n" for one in learned)


def _of(partition: str) -> Any:
    return select(traces).where(traces.c.partition == partition)


def _newest(connection: Connection, partition: str, user: str | None, limit: int, before: str | None) -> list[Trace]:
    query = _of(partition).order_by(traces.c.at.desc(), traces.c.id.desc()).limit(limit)
    if user is not None:
        query = query.where(traces.c.user == user)
    if before is not None:
        at = select(traces.c.at).where(traces.c.id == before, traces.c.partition == partition).scalar_subquery()
        query = query.where((traces.c.at < at) | ((traces.c.at == at) & (traces.c.id < before)))
    return [_trace(row) for row in connection.execute(query)]


def _trace(row: Any) -> Trace:
    about = dict(row.about)
    about["candidates"] = tuple(TracedMemory(**candidate) for candidate in about["candidates"])
    lines = [json.loads(line) for line in row.learned.splitlines()]
    about["learned"] = tuple(Learned(**learned) for learned in (*about.get("learned", ()), *lines))
    for name in ("unreadable", "carried"):
        about[name] = tuple(about[name])
    whose = {"partition": row.partition, "user": row.user, "namespace": row.namespace}
    return Trace(id=row.id, at=aware(row.at), **whose, **about)


def _prune(connection: Connection, oldest: datetime, most: int) -> None:
    connection.execute(delete(traces).where(traces.c.at < oldest))
    beyond = select(traces.c.at).order_by(traces.c.at.desc()).offset(most).limit(1).scalar_subquery()
    connection.execute(delete(traces).where(traces.c.at <= beyond))
