"""Whether anybody has written since the last look."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine


class Watch:
    """One reader's view of what has changed. For one thread; ``close`` may come from another."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None

    def has_changed(self) -> bool:
        """False when nobody has committed anything to an SQLite file since the last call; else it may have changed.

        Takes microseconds, so that looking often costs nothing while nothing happens. Of another database nothing is
        known: always True.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        try:
            if self._connection is None:
                self._connection = self._opened()
            [version] = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            self.close()
            self._connection = self._version = None
            return True
        before, self._version = self._version, version
        return bool(before != version)

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        uri = f"{Path(self._engine.url.database or '').absolute().as_uri()}?mode=ro"
        # Closed by another thread than the one that looks.
        return sqlite3.connect(uri, uri=True, check_same_thread=False)
