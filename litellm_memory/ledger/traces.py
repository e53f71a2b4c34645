"""Traces: what memory did to a request and why. They hold memory ids and no text, so no forgotten text survives
here."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, Text, bindparam, cast, delete, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.tables import aware, insert_all_new, traces
from litellm_memory.models import MemoryKind

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
    standing: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Who said what about ``recall`` and ``learn``; empty where nobody said anything."""
    shared: str | None = None
    """The partition of what the request's team shares with it."""
    cut: tuple[str, ...] = ()
    """The shared memories that were cut from earlier blocks, because they are shared with it no more."""
    refused: tuple[str, ...] = ()
    """Memories of earlier blocks that a guardrail of this request did not let through."""
    blocks: tuple[tuple[str, int], ...] = ()
    """The messages with a block, by mark, and how many memories each had: of ``carried``, the last ones."""


_ABOUT: Final = tuple(field.name for field in fields(Trace) if field.name not in (*_COLUMNS, "learned"))


class Traces:
    """The traces in one ledger. ``count`` is called with how many memories were learned from which call.

    ``caught_up`` returns once the ledger holds the traces of all requests so far.
    """

    def __init__(
        self,
        database: Database,
        *,
        count: Callable[[Mapping[str, int]], None],
        caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._count = count
        self._caught_up = caught_up

    def learned(self, found: Mapping[str, Sequence[Learned]]) -> Future[None] | None:
        """Adds, in the background, what was learned to the traces with these ids; None when that is nothing."""
        rows = [{"of": trace, "more": _lines(learned)} for trace, learned in found.items() if learned]
        if not rows:
            return None
        self._count({trace: sum(one.what == "kept" for one in learned) for trace, learned in found.items()})
        return self._database.submit(lambda connection: _add_learned(connection, rows))

    async def newest(self, partition: str, *, user: str | None, limit: int, before: str | None = None) -> list[Trace]:
        """A partition's traces, newest first; ``before``: those older than that trace. Raises LedgerError."""
        await self._caught_up()
        return await self._database.read(lambda connection: _newest(connection, partition, user, limit, before))

    async def scopes(self, limit: int) -> list[tuple[str, str]]:
        """The distinct partitions and users of the last ``limit`` requests, latest first. Raises LedgerError."""
        last = select(traces).order_by(traces.c.at.desc()).limit(limit)
        read = await self._database.read(lambda connection: [_trace(row) for row in connection.execute(last)])
        return list(dict.fromkeys((trace.partition, trace.user) for trace in read))

    async def get(self, partition: str, trace: str) -> Trace | None:
        """One trace of a partition; None for an unknown or a foreign id. Raises LedgerError."""
        await self._caught_up()
        found = await self._database.read(
            lambda c: [_trace(row) for row in c.execute(_of(partition).where(traces.c.id == trace))]
        )
        return found[0] if found else None

    async def with_memory(self, namespace: str, memory: str, *, limit: int) -> list[Trace]:
        """The newest ``limit`` traces of a namespace that name this memory, newest first. Raises LedgerError."""
        await self._caught_up()
        of_namespace = select(traces).where(traces.c.namespace == namespace)
        naming = of_namespace.where(cast(traces.c.about, Text).contains(memory, autoescape=True))
        newest = naming.order_by(traces.c.at.desc()).limit(limit)
        return await self._database.read(lambda c: [_trace(row) for row in c.execute(newest)])

    def prune(self, now: datetime, *, days: int, most: int) -> Future[None]:
        """Drops, in the background, traces older than ``days``, and the oldest beyond ``most``."""
        return self._database.submit(lambda connection: _prune(connection, now - timedelta(days=days), most))


def add_traces(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts these rows. A request that LiteLLM passes through its hooks twice keeps its first trace."""
    insert_all_new(connection, traces, [{**row, "at": datetime.fromisoformat(row["at"])} for row in rows])


def trace_row(trace: Trace) -> dict[str, Any]:
    """The row of a trace."""
    # Not ``asdict``: it deep-copies, which took longer than the search that a trace describes.
    about = {name: getattr(trace, name) for name in _ABOUT}
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
    learned = (*about.get("learned", ()), *map(json.loads, row.learned.splitlines()))
    about["learned"] = tuple(Learned(**one) for one in learned)
    for name in ("unreadable", "carried", "cut", "refused", "blocks"):
        about[name] = tuple(about.get(name, ()))
    return Trace(row.id, aware(row.at), row.partition, row.user, row.namespace, **about)


def _prune(connection: Connection, oldest: datetime, most: int) -> None:
    connection.execute(delete(traces).where(traces.c.at < oldest))
    beyond = select(traces.c.at).order_by(traces.c.at.desc()).offset(most).limit(1).scalar_subquery()
    connection.execute(delete(traces).where(traces.c.at <= beyond))
