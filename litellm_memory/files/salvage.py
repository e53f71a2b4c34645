"""What can still be read of a damaged SQLite file: row by row, skipping unreadable pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]

BATCH = 500
"""Rows per read; a batch that fails is halved until the unreadable rows are found."""


class Damaged:
    """A damaged database, opened for reading; what cannot be read is counted and skipped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unreadable = 0
        """The number of unreadable spans of rows."""

    def rows(self, table: str, columns: Sequence[str], key: str = "rowid") -> Iterator[Row]:
        """The rows of a table in the order of its integer ``key``; none when there is no such table."""
        try:
            # Opened read-write: a killed process may leave a transaction behind, which is rolled back here.
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=rw", uri=True)) as database:
                last = database.execute(f"SELECT max({key}) FROM {table}").fetchone()[0] or 0
                for first in range(1, last + 1, BATCH):
                    yield from self._span(database, table, columns, key, (first, min(last, first + BATCH - 1)))
        except sqlite3.Error:
            self.unreadable += 1

    def _span(
        self, database: sqlite3.Connection, table: str, columns: Sequence[str], key: str, span: tuple[int, int]
    ) -> Iterator[Row]:
        """The rows of a span; when one cannot be read, those before and after it."""
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
