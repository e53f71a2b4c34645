"""Rebuilds an SQLite ledger from the rows that its damaged file still holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from litellm_memory.database.days import sum_up
from litellm_memory.database.tables import FILLED, SCHEMA_VERSION, metadata
from litellm_memory.files.salvage import Damaged


def is_damaged(path: Path) -> bool:
    """True when SQLite finds the file damaged; reads all of it."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            return bool(database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.DatabaseError:
        return True


def list_anew(path: Path) -> None:
    """Lets the list of memories be made anew from the store, at the next start on the ledger at ``path``."""
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("DELETE FROM facts WHERE name = ?", (FILLED,))


def fill_from(damaged: Path, path: Path) -> tuple[int, int]:
    """Copies the rows of a damaged ledger into the new one at ``path``; returns their number and that of unreadable
    spans."""
    old = Damaged(damaged)
    brought = 0
    with closing(sqlite3.connect(path)) as new, new:
        for table in metadata.sorted_tables:
            columns = [column.name for column in table.columns]
            named = ", ".join(f'"{column}"' for column in columns)
            marks = ", ".join("?" * len(columns))
            cursor = new.executemany(
                f"INSERT OR REPLACE INTO {table.name} ({named}) VALUES ({marks})", old.rows(table.name, columns)
            )
            brought += max(0, cursor.rowcount)
        # Unread rows may be missing from the lists, so these are rebuilt from the store.
        new.execute("DELETE FROM facts WHERE name = ?", (FILLED,))
        # The tables have this version's schema, whatever version the damaged file had.
        new.execute("UPDATE facts SET value = ? WHERE name = 'schema'", (str(SCHEMA_VERSION),))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        sum_up(connection)
    engine.dispose()
    return brought, old.unreadable
