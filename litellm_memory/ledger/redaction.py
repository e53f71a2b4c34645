"""Redaction after the fact: texts in the ledger's tables that were stored before a rule covered them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Table, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.said import removed
from litellm_memory.database.tables import blocks, journal, model_queue, traces
from litellm_memory.ledger.changes import NO_NAMESPACE, publish
from litellm_memory.models import namespace

BATCH: Final = 500
"""Rows per batch."""
ABOUT: Final = ("project", "session", "client", "model", "route")
"""The fields of a trace that a client chose; the others are ids and terms of ours."""

Clean: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class UnredactedRow:
    """A row with a text that has to change: its place, the changed values, and the texts before and after."""

    place: str
    mark: str
    changed: Mapping[str, Any]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A table with texts: the key of its rows, a row's partition, its redacted form, and all its texts."""

    name: str
    table: Table
    key: str
    belongs: Callable[[Any, str, frozenset[str]], bool]
    cleaned: Callable[[Any, Clean], dict[str, Any]]


class Redaction:
    """Redaction after the fact of the texts in one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, partition: str, users: Iterable[str], clean: Clean) -> list[UnredactedRow]:
        """The rows of a partition with a text that ``clean`` would change; writes nothing."""
        spaces = frozenset(namespace(partition, user) for user in users)
        found: list[UnredactedRow] = []
        for place in PLACES:
            found += await self._database.read(
                partial(_unredacted, place=place, partition=partition, spaces=spaces, clean=clean)
            )
        return found

    async def apply(self, rows: Sequence[UnredactedRow]) -> None:
        """Writes the redacted rows, and publishes the changed blocks."""
        await self._database.write(lambda c: _apply(c, rows))


def _apply(connection: Connection, rows: Sequence[UnredactedRow]) -> None:
    tables = {place.name: place for place in PLACES}
    for row in rows:
        place = tables[row.place]
        connection.execute(update(place.table).where(place.table.c[place.key] == row.mark).values(row.changed))
    publish(connection, [(NO_NAMESPACE, row.mark) for row in rows if row.place == "blocks"])


def _unredacted(
    connection: Connection, place: _Place, partition: str, spaces: frozenset[str], clean: Clean
) -> list[UnredactedRow]:
    found: list[UnredactedRow] = []
    key = place.table.c[place.key]
    last = ""
    while rows := connection.execute(select(place.table).where(key > last).order_by(key).limit(BATCH)).all():
        last = str(rows[-1]._mapping[place.key])
        for row in rows:
            if place.belongs(row, partition, spaces):
                found += _changes(place, row, clean)
    return found


def _changes(place: _Place, row: Any, clean: Clean) -> Iterator[UnredactedRow]:
    cleaned = place.cleaned(row, clean)
    changed = {name: value for name, value in cleaned.items() if value != row._mapping[name]}
    if changed:
        before = {name: row._mapping[name] for name in changed}
        yield UnredactedRow(place.name, row._mapping[place.key], changed, str(before), str(changed))


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
        # Entries are cut out of the text by their own bytes, so both are redacted alike.
        text = text.replace(entry, clean(entry))
        given.append([memory, clean(entry), *rest])
    return {"text": text, "given": given}


def _trace(row: Any, clean: Clean) -> dict[str, Any]:
    chosen = {name: clean(row.about[name]) for name in ABOUT if row.about.get(name)}
    return {"about": {**row.about, **chosen}}


def _removed(row: Any, clean: Clean) -> dict[str, Any]:
    texts = {name: clean(row.data[name]) for name in ("text", "reply") if row.data[name]}
    return {"data": {**row.data, **texts, "tags": [clean(tag) for tag in row.data["tags"]]}}


PLACES: Final = (
    _Place("journal", journal, "mark", _in_scope, _exchange),
    _Place("unread", model_queue, "mark", _in_scope, _exchange),
    _Place("blocks", blocks, "mark", _in_spaces, _block),
    _Place("traces", traces, "id", _in_partition, _trace),
    _Place("removed", removed, "memory", _in_partition, _removed),
)
"""Every table with texts that people or clients chose."""
