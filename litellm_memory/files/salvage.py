"""What can still be read of a damaged SQLite file: row by row, past the pages that cannot be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]

AT_ONCE = 500


class Damaged:
    """A database that is only read; what cannot be read is counted and left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unreadable = 0
        """Spans of rows that could not be read."""

    def rows(self, table: str, columns: Sequence[str], key: str = "rowid") -> Iterator[Row]:
        """The rows of a table whose ``key`` is a whole number, in its order; none when there is no such table."""
        try:
            # For writing too: a killed process may have left a transaction behind, which is rolled back now.
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=rw", uri=True)) as database:
                last = database.execute(f"SELECT max({key}) FROM {table}").fetchone()[0] or 0
                for first in range(1, last + 1, AT_ONCE):
                    yield from self._span(database, table, columns, key, (first, min(last, first + AT_ONCE - 1)))
        except sqlite3.Error:
            self.unreadable += 1

    def _span(
        self, database: sqlite3.Connection, table: str, columns: Sequence[str], key: str, span: tuple[int, int]
    ) -> Iterator[Row]:
        """The rows of a span; where one cannot be read, those before and behind it."""
        named = ", ".join(f'"{column}"' for column in columns)
        query = f"SELECT {named} FROM {table} WHERE {key} BETWEEN ? AND ? ORDER BY {key}"
        try:
            found = database.execute(query, span).fetchall()
        except sqlite3.DatabaseError:
            first, last = span
            if first == last:
                self.unreadable += 1
                return
            middle = (first + last) // 2
            yield from self._span(database, table, columns, key, (first, middle))
            yield from self._span(database, table, columns, key, (middle + 1, last))
        else:
            yield from found
