"""Writes the files of an embedded Chroma anew without what was deleted; run as a process of its own.

Two copies of SQLite in one process lose each other's locks on a file, and the owner process has Chroma's. It is run by
its path, so nothing of this package is imported here.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from uuid import UUID

DATABASE = "chroma.sqlite3"
LOCKED_SECONDS = 60.0


def vacuum(directory: Path) -> None:
    """Leaves in Chroma's SQLite only what is in force, and removes index files that belong to no collection.

    Raises sqlite3.Error and OSError.
    """
    with closing(sqlite3.connect(directory / DATABASE, timeout=LOCKED_SECONDS, isolation_level=None)) as database:
        # The full-text index marks a deleted text's words as deleted, and drops them only when it is merged.
        database.execute("INSERT INTO embedding_fulltext_search(embedding_fulltext_search) VALUES ('optimize')")
        database.execute("VACUUM")
        segments = {str(row[0]) for row in database.execute("SELECT id FROM segments")}
    for path in directory.iterdir():
        if path.is_dir() and _is_segment(path.name) and path.name not in segments:
            shutil.rmtree(path)


def _is_segment(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


if __name__ == "__main__":
    try:
        vacuum(Path(sys.argv[1]))
    except (sqlite3.Error, OSError) as error:
        sys.exit(type(error).__name__)
