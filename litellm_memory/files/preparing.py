"""What an owner does to a data directory before Chroma opens it."""

from __future__ import annotations

import json
import sqlite3
from logging import Logger
from pathlib import Path

from litellm_memory.files.address import aside_path, put_aside, scrub_path, unfilled_path
from litellm_memory.files.integrity import damaged_indexes
from litellm_memory.files.vacuum import vacuum


def put_damaged_aside(data_dir: Path, log: Logger) -> dict[str, int]:
    """Moves damaged indexes aside; returns the collections whose index has to be rebuilt, with their dimensions.

    Includes those that the previous owner did not finish. Raises StoreError for a damaged database.
    """
    mark = unfilled_path(data_dir)
    unfilled: dict[str, int] = json.loads(mark.read_text()) if mark.exists() else {}
    damaged = damaged_indexes(data_dir / "chroma")
    if damaged:
        unfilled |= {index.collection: index.dimension for index in damaged}
        mark.write_text(json.dumps(unfilled))
    for index in damaged:
        log.warning("An index was damaged (%s) and is made anew; vectors follow as memories are used.", index.wrong)
        put_aside(index.directory, aside_path(data_dir))
    return unfilled


def scrub(data_dir: Path, log: Logger) -> None:
    """Vacuums the files if the previous owner left that to do; on failure memory keeps working and the flag file
    stays."""
    mark = scrub_path(data_dir)
    if mark.exists():
        try:
            vacuum(data_dir / "chroma")
            mark.unlink()
        except (sqlite3.Error, OSError) as error:
            log.warning("The files cannot be written anew (%s).", type(error).__name__)


def shut_out_others(data_dir: Path, log: Logger) -> None:
    """Makes the directory private to this user, where it is this user's."""
    try:
        data_dir.chmod(0o700)
    except PermissionError:
        # A mounted volume, for example; the files inside are made for this user alone anyway.
        log.warning("%s belongs to another user, so its permissions stay as they are.", data_dir)
