"""Vacuums the files of an embedded Chroma, so that deleted data is gone from them, while no process has it open."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

from litellm_memory.files.integrity import DATABASE, LENGTH_BYTES, header_of

LOCKED_SECONDS = 60.0
"""How long SQLite waits for a lock on the database."""


def vacuum(directory: Path) -> None:
    """Rewrites Chroma's files without deleted data, and removes those that belong to no collection.

    Raises sqlite3.Error and OSError.
    """
    if not (directory / DATABASE).exists():
        return
    with closing(sqlite3.connect(directory / DATABASE, timeout=LOCKED_SECONDS, isolation_level=None)) as database:
        # The full-text index only flags the words of a deleted text, and drops them when it is merged.
        database.execute("INSERT INTO embedding_fulltext_search(embedding_fulltext_search) VALUES ('optimize')")
        database.execute("VACUUM")
        in_use = {str(row[0]) for row in database.execute("SELECT id FROM segments")}
    for segment in _segments(directory):
        if segment.name in in_use:
            _wipe_unused(segment)
        else:
            shutil.rmtree(segment)


def _segments(directory: Path) -> Iterator[Path]:
    """The directories of vector indexes, whose names are UUIDs."""
    for path in directory.iterdir():
        try:
            named = str(UUID(path.name)) == path.name
        except ValueError:
            continue
        if named and path.is_dir():
            yield path


def _wipe_unused(segment: Path) -> None:
    """Zeroes the unused capacity of an index: Chroma fills it with whatever its RAM held before.

    Texts of memories were seen there.
    """
    if not (segment / "header.bin").exists() or (header := header_of(segment)) is None:
        return
    for name, bytes_each in (("data_level0.bin", header.element_bytes), ("length.bin", LENGTH_BYTES)):
        path = segment / name
        used = min(header.elements * bytes_each, path.stat().st_size)
        with path.open("r+b") as file:
            file.seek(used)
            file.write(bytes(path.stat().st_size - used))
