"""Usage summed up by UTC day and updated with every change of the calls, so that a year is read in milliseconds.

Change rows of ``calls`` only inside ``in_step``, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from litellm_memory.database.people import holders
from litellm_memory.database.tables import calls, days, insert_into

NAMES: Final = ("client", "model", "user", "project")
KEYS: Final = ("partition", "day", *NAMES)
_BY_KEY: Final = frozenset({"key", "team"})


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


_SUMS: Final[dict[str, ColumnElement[Any]]] = {
    "calls": func.count(),
    "failures": _number_of(calls.c.status == "failure"),
    "truncated": _number_of(calls.c.quality == "truncated"),
    "refused": _number_of(calls.c.quality == "refused"),
    "empty": _number_of(calls.c.quality == "empty"),
    "retried": _number_of(calls.c.retried.is_(True)),
    **{
        name: func.sum(calls.c[name])
        for name in (
            "retries",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "memory_tokens",
            "recalled",
            "learned",
        )
    },
    "cost": func.sum(calls.c.cost),
    "latency": func.sum(calls.c.latency),
    "feedback": func.coalesce(func.sum(calls.c.feedback), 0.0),
    "rated": func.count(calls.c.feedback),
}
FIGURES: Final = tuple(_SUMS)
"""The columns of sums, in the order of ``totals``; latency and feedback are divided by ``calls`` and ``rated``."""


NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@contextmanager
def in_step(connection: Connection, of: ColumnElement[bool], **values: object) -> Iterator[None]:
    """Updates the days by whatever changes inside in the calls that ``of`` selects, the same ones before and after.

    ``values`` are the bound parameters of ``of``.
    """
    _add(connection, of, -1, values)
    yield
    _add(connection, of, 1, values)


def delete_old_calls(connection: Connection, before: datetime) -> int:
    """Deletes the calls from before that time and updates the days; returns how many."""
    old = calls.c.at < before
    _add(connection, old, -1)
    gone = connection.execute(delete(calls).where(old)).rowcount
    connection.execute(delete(days).where(days.c.calls == 0))
    return gone


def sum_up(connection: Connection, partition: str | None = None, users: Sequence[str] = ()) -> None:
    """Recomputes the days of these users of a partition from their calls; without a partition, all days."""
    of_days = and_(days.c.partition == partition, days.c.user.in_(users)) if partition else days.c.calls == days.c.calls
    of_calls = and_(calls.c.partition == partition, calls.c.user.in_(users)) if partition else calls.c.id == calls.c.id
    connection.execute(delete(days).where(of_days))
    _add(connection, of_calls, 1)


def totals(
    connection: Connection, partition: str | None, by: Sequence[str], since: datetime | None, until: datetime | None
) -> list[tuple[Any, ...]]:
    """The sums of a partition's calls in a time span: the columns they are grouped by, then FIGURES.

    ``partition`` None: of all partitions.
    """
    read = _parts if _BY_KEY.isdisjoint(by) else _by_key
    parts = union_all(*read(connection.dialect.name, partition, since, until)).subquery()
    groups = [parts.c[name] for name in by]
    query = select(*groups, *(func.sum(parts.c[name]) for name in FIGURES)).group_by(*groups)
    # Without groups, SQL returns one row of nulls for no calls.
    return [tuple(row) for row in connection.execute(query) if row[len(by)]]


def _by_key(dialect: str, partition: str | None, since: datetime | None, until: datetime | None) -> list[Select[Any]]:
    """A query for all calls in a time span, with their key and its team: the days know neither."""
    spans = (
        *_in(calls.c, partition),
        *([calls.c.at >= since] if since else ()),
        *([calls.c.at < until] if until else ()),
    )
    named = [func.coalesce(column, literal_column("''")) for column in (calls.c.key, holders.c.team)]
    summed = _summed(dialect, and_(true(), *spans)).add_columns(named[0].label("key"), named[1].label("team"))
    held = (holders.c.partition == calls.c.partition) & (holders.c.key == calls.c.key)
    return [summed.select_from(calls.outerjoin(holders, held)).group_by(*named)]


def _in(columns: Any, partition: str | None) -> list[ColumnElement[bool]]:
    return [] if partition is None else [columns.partition == partition]


def _parts(dialect: str, partition: str | None, since: datetime | None, until: datetime | None) -> list[Select[Any]]:
    """Queries for the whole days in a time span, and for the calls of its incomplete first and last day."""
    first = None if since is None else _midnight(since + timedelta(days=1, microseconds=-1))
    last = None if until is None else _midnight(until)
    if first is not None and last is not None and first >= last:
        return [_summed(dialect, and_(*_in(calls.c, partition), calls.c.at >= since, calls.c.at < until))]
    whole = _in(days.c, partition)
    edges = []
    if since is not None and first is not None:
        whole.append(days.c.day >= first.date().isoformat())
        edges.append(and_(calls.c.at >= since, calls.c.at < first))
    if until is not None and last is not None:
        whole.append(days.c.day < last.date().isoformat())
        edges.append(and_(calls.c.at >= last, calls.c.at < until))
    columns = [days.c[name] for name in (*KEYS, *FIGURES)]
    parts: list[Select[Any]] = [select(*columns).where(*whole)]
    return [*parts, _summed(dialect, and_(*_in(calls.c, partition), or_(*edges)))] if edges else parts


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(), moment.tzinfo)


def _add(connection: Connection, of: ColumnElement[bool], sign: int, values: Mapping[str, object] = NOTHING) -> None:
    connection.execute(_growing(connection.dialect.name, of, sign), values)


@lru_cache(maxsize=8)
def _growing(dialect: str, of: ColumnElement[bool], sign: int) -> Any:
    # Cached, because SQLAlchemy takes longer to build a statement than to run it.
    insert = insert_into(dialect, days)
    # Rows are locked in one order, so that two hosts cannot deadlock.
    summed = _summed(dialect, of, sign).order_by(*map(literal_column, ("1", "2", "3", "4", "5", "6")))
    grown = {name: days.c[name] + insert.excluded[name] for name in FIGURES}
    return insert.from_select([*KEYS, *FIGURES], summed).on_conflict_do_update(index_elements=KEYS, set_=grown)


def _summed(dialect: str, of: ColumnElement[bool], sign: int = 1) -> Select[Any]:
    nobody: ColumnElement[str] = literal_column("''")
    if dialect == "postgresql":
        day = func.to_char(func.timezone(literal_column("'UTC'"), calls.c.at), literal_column("'YYYY-MM-DD'"))
    else:
        day = func.date(calls.c.at)
    keys = [calls.c.partition, day.label("day"), *(func.coalesce(calls.c[n], nobody).label(n) for n in NAMES)]
    sums = [(total * literal_column(str(sign))).label(name) for name, total in _SUMS.items()]
    return select(*keys, *sums).where(of).group_by(*keys)
