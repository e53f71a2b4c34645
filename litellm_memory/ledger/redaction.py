"""The texts in the ledger's tables, and others put in their place: what an older version kept as it was said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Table, select, update

from litellm_memory.ledger.tables import blocks, journal, traces, unread
from litellm_memory.models import namespace

AT_ONCE: Final = 500
"""Rows that are read together."""
ABOUT: Final = ("project", "session", "client", "model", "route")
"""What of a trace a client chose; the rest is ids and words of ours."""

Clean: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Unclean:
    """One row with a text that has to change: where, what changes, and the texts before and after."""

    place: str
    mark: str
    changed: Mapping[str, Any]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A table with texts: the key of its rows, the partition of one, what a row has to be, and all that it says."""

    name: str
    table: Table
    key: str
    belongs: Callable[[Any, str, frozenset[str]], bool]
    cleaned: Callable[[Any, Clean], dict[str, Any]]


class Mending:
    """Mends one ledger. ``read`` and ``write`` run a function on its database, and raise LedgerError."""

    def __init__(
        self,
        read: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        write: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        tell: Callable[[Connection, Sequence[str]], None],
    ) -> None:
        self._read = read
        self._write = write
        self._tell = tell

    async def unclean(self, partition: str, users: Iterable[str], clean: Clean) -> list[Unclean]:
        """The rows of a partition that say something which ``clean`` would change."""
        spaces = frozenset(namespace(partition, user) for user in users)
        found: list[Unclean] = []
        for place in PLACES:
            found += await self._read(partial(_unclean, place=place, partition=partition, spaces=spaces, clean=clean))
        return found

    async def mend(self, rows: Sequence[Unclean]) -> None:
        """Writes these rows as they have to be; other workers read mended blocks anew."""
        await self._write(lambda c: self._mend(c, rows))

    def _mend(self, connection: Connection, rows: Sequence[Unclean]) -> None:
        tables = {place.name: place for place in PLACES}
        for row in rows:
            place = tables[row.place]
            connection.execute(update(place.table).where(place.table.c[place.key] == row.mark).values(row.changed))
        self._tell(connection, [row.mark for row in rows if row.place == "blocks"])


def _unclean(
    connection: Connection, place: _Place, partition: str, spaces: frozenset[str], clean: Clean
) -> list[Unclean]:
    found: list[Unclean] = []
    key = place.table.c[place.key]
    last = ""
    while rows := connection.execute(select(place.table).where(key > last).order_by(key).limit(AT_ONCE)).all():
        last = str(rows[-1]._mapping[place.key])
        for row in rows:
            if place.belongs(row, partition, spaces):
                found += _changes(place, row, clean)
    return found


def _changes(place: _Place, row: Any, clean: Clean) -> Iterator[Unclean]:
    cleaned = place.cleaned(row, clean)
    changed = {name: value for name, value in cleaned.items() if value != row._mapping[name]}
    if changed:
        before = {name: row._mapping[name] for name in changed}
        yield Unclean(place.name, row._mapping[place.key], changed, str(before), str(changed))


def _in_scope(row: Any, partition: str, spaces: frozenset[str]) -> bool:
    return bool(row.scope["partition"] == partition)


def _in_spaces(row: Any, partition: str, spaces: frozenset[str]) -> bool:
    return row.namespace in spaces


def _in_partition(row: Any, partition: str, spaces: frozenset[str]) -> bool:
    return bool(row.partition == partition)


def _exchange(row: Any, clean: Clean) -> dict[str, Any]:
    return {"text": clean(row.text), "reply": clean(row.reply) if row.reply else row.reply}


def _block(row: Any, clean: Clean) -> dict[str, Any]:
    text, given = row.text, []
    for memory, entry, *rest in row.given:
        # Entries are cut out by their own bytes, so both change alike.
        text = text.replace(entry, clean(entry))
        given.append([memory, clean(entry), *rest])
    return {"text": text, "given": given}


def _trace(row: Any, clean: Clean) -> dict[str, Any]:
    chosen = {name: clean(row.about[name]) for name in ABOUT if row.about.get(name)}
    return {"about": {**row.about, **chosen}}


PLACES: Final = (
    _Place("journal", journal, "mark", _in_scope, _exchange),
    _Place("unread", unread, "mark", _in_scope, _exchange),
    _Place("blocks", blocks, "mark", _in_spaces, _block),
    _Place("traces", traces, "id", _in_partition, _trace),
)
