"""Whether anybody has written since the last reading."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class Watch:
    """One reader's view of what has changed in an SQLite file; without a file nothing is known, and all may have.

    For one thread; ``close`` may come from another.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._unread = True

    def has_changed(self) -> bool:
        """False when nobody has committed anything since the look before the last ``read``; else it may have changed.

        Takes microseconds, so that looking often costs nothing while nothing happens.
        """
        self._unread = self._is_new() or self._unread
        return self._unread

    def read(self) -> None:
        """What had changed at the last look has been read."""
        self._unread = False

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()

    def _is_new(self) -> bool:
        if self._file is None:
            return True
        try:
            if self._connection is None:
                # Closed by another thread than the one that looks.
                uri = f"{self._file.absolute().as_uri()}?mode=ro"
                self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            [version] = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            self.close()
            self._connection = self._version = None
            return True
        before, self._version = self._version, version
        return bool(before != version)
