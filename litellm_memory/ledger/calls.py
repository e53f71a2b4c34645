"""What calls cost and how good their answers were: a row per call, and sums by client, model, user, project and day."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import Connection, bindparam, or_, update

from litellm_memory.database.database import Database
from litellm_memory.database.days import in_step, totals
from litellm_memory.database.tables import calls, upsert_all

Grouping: TypeAlias = Literal["client", "model", "user", "project", "day", "partition", "key", "team"]
GROUPINGS: Final[tuple[Grouping, ...]] = get_args(Grouping)
UNWRITTEN: Final = 10_000
"""At most this many calls wait for ``flush``; beyond that new ones are dropped, and no request waits."""
RETRIED_WITHIN: Final = timedelta(minutes=10)
"""The same words sent again within this time count as a retry: the answer was not good enough."""
ATTEMPTS: Final = 60
"""How often adding a count of learned memories is tried when the call is not recorded yet, at intervals of a second."""

Quality: TypeAlias = Literal["truncated", "refused", "empty"]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What one client request cost: ``cost`` in dollars as LiteLLM reports it, times in seconds."""

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
    quality: Quality | None = None
    """What was wrong with the answer; None when nothing was, or when that is not known."""
    message: str | None = None
    """Mark of the person's new message that it answers; None when there is none."""
    key: str | None = None
    """A hash of the key that paid for it, as in ``Holder``."""


_FIELDS: Final = tuple(field.name for field in fields(CallRecord))


@dataclass(frozen=True, slots=True)
class Usage:
    """The sums of one group of calls. ``feedback`` is the mean of the ratings, from -1 to 1."""

    group: tuple[str | None, ...]
    calls: int
    failures: int
    truncated: int
    refused: int
    empty: int
    retried: int
    """Answers after which the person sent the same words again."""
    retries: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    memory_tokens: int
    recalled: int
    learned: int
    """Memories learned from them."""
    cost: float
    latency: float
    """Mean duration of a call in seconds."""
    feedback: float | None


class Calls:
    """The calls in one ledger. ``caught_up`` returns once the ledger holds all calls so far."""

    def __init__(self, database: Database, *, caught_up: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._caught_up = caught_up
        self._unwritten: dict[str, CallRecord] = {}
        self._learned: deque[_LearnedCount] = deque(maxlen=UNWRITTEN)
        self._writing: Future[list[_LearnedCount]] | None = None

    def note(self, call: CallRecord) -> None:
        """Records a call, or replaces its record; ``flush`` writes it."""
        if call.id in self._unwritten or len(self._unwritten) < UNWRITTEN:
            self._unwritten[call.id] = call

    def learned(self, memories: Mapping[str, int]) -> None:
        """Adds, in the background, to the number of memories learned from the calls with these ids; ``flush`` does for
        calls that are not recorded yet."""
        self._learned.extend(_LearnedCount(call, count) for call, count in memories.items() if count)
        self.flush()

    def flush(self) -> Future[list[_LearnedCount]] | None:
        """Writes in the background what was noted since the last flush; None when that is nothing."""
        if not self._unwritten and not self._learned:
            return None
        noted, self._unwritten = list(self._unwritten.values()), {}
        learned = [self._learned.popleft() for _ in range(len(self._learned))]
        writing: Future[list[_LearnedCount]] = self._database.submit(
            lambda connection: _write(connection, noted, learned)
        )
        writing.add_done_callback(self._try_again)
        self._writing = writing
        return writing

    def _try_again(self, writing: Future[list[_LearnedCount]]) -> None:
        """Queues counts for calls that are not recorded yet: learning may be faster than LiteLLM's report."""
        if not writing.cancelled() and writing.exception() is None:
            self._learned.extend(writing.result())

    async def usage(
        self, partition: str | None, by: Sequence[Grouping], *, since: datetime | None, until: datetime | None
    ) -> list[Usage]:
        """The sums of a partition's calls in a time span, by group, most expensive first; None: of all partitions.

        Raises LedgerError.
        """
        await self._written()
        return await self._database.read(
            lambda connection: _usage(totals(connection, partition, by, since, until), len(by))
        )

    async def rate(self, partition: str, call: str, score: float) -> bool:
        """Stores a person's rating of an answer; False when the partition has no such call. Raises LedgerError."""
        await self._written()
        return await self._database.write(lambda c: _rate(c, partition, call, score))

    async def _written(self) -> None:
        await self._caught_up()
        # First what is being written: of that, counts may have to be tried again.
        await _done(self._writing)
        await _done(self.flush())


async def _done(writing: Future[list[_LearnedCount]] | None) -> None:
    if writing is not None:
        await asyncio.gather(asyncio.wrap_future(writing), return_exceptions=True)


def call_row(call: CallRecord) -> dict[str, Any]:
    """The fields of a record."""
    return {name: getattr(call, name) for name in _FIELDS}


def note_calls(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Records these calls, or replaces their records."""
    noted = {row["id"]: CallRecord(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in rows}
    if noted:
        _write(connection, list(noted.values()), ())


@dataclass(frozen=True, slots=True)
class _LearnedCount:
    """The number of memories learned from a call, and the attempts to add it to the call."""

    call: str
    count: int
    attempts: int = 1


_THESE = or_(
    calls.c.id.in_(bindparam("ids", expanding=True)), calls.c.message.in_(bindparam("messages", expanding=True))
)
_AGAIN = (
    update(calls)
    .where(
        calls.c.message == bindparam("of"),
        calls.c.id != bindparam("by"),
        calls.c.kind == "person",
        calls.c.status == "success",
        calls.c.at < bindparam("then"),
        calls.c.at >= bindparam("earliest"),
    )
    .values(retried=True)
)
_LEARNED = update(calls).where(calls.c.id == bindparam("of")).values(learned=calls.c.learned + bindparam("more"))


def _write(
    connection: Connection, noted: Sequence[CallRecord], learned: Sequence[_LearnedCount]
) -> list[_LearnedCount]:
    """Writes calls and counts; returns the counts whose calls are not recorded yet and may still come."""
    ids = {call.id for call in noted} | {one.call for one in learned}
    messages = {call.message for call in noted if call.message}
    with in_step(connection, _THESE, ids=list(ids), messages=list(messages)):
        if noted:
            upsert_all(connection, calls, [asdict(call) for call in noted])
        asked = [
            {"of": call.message, "by": call.id, "then": call.at, "earliest": call.at - RETRIED_WITHIN}
            for call in noted
            if call.message and call.kind == "person"
        ]
        if asked:
            connection.execute(_AGAIN, asked)
        missing = [one for one in learned if not _add_learned(connection, one)]
    return [_LearnedCount(one.call, one.count, one.attempts + 1) for one in missing if one.attempts < ATTEMPTS]


def _add_learned(connection: Connection, learned: _LearnedCount) -> bool:
    return bool(connection.execute(_LEARNED, {"of": learned.call, "more": learned.count}).rowcount)


def _usage(rows: Sequence[tuple[Any, ...]], groups: int) -> list[Usage]:
    found = [_group(row[:groups], row[groups:]) for row in rows]
    return sorted(found, key=lambda usage: (-usage.cost, -usage.calls, [part or "" for part in usage.group]))


def _group(group: tuple[str, ...], sums: tuple[Any, ...]) -> Usage:
    # In the order of FIGURES. PostgreSQL returns sums of integers as decimals.
    *counts, cost, latency, feedback, rated = sums
    named = tuple(part or None for part in group)
    means = (latency / int(counts[0]), feedback / int(rated) if rated else None)
    return Usage(*(named, *map(int, counts), cost, *means))


def _rate(connection: Connection, partition: str, call: str, score: float) -> bool:
    rated = update(calls).where(calls.c.id == call, calls.c.partition == partition).values(feedback=score)
    with in_step(connection, _THESE, ids=[call], messages=[]):
        return bool(connection.execute(rated).rowcount)
