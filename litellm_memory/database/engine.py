"""SQLAlchemy's engine for a URL, an SQLite file that is private to its user, and scrubbing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import QueuePool

from litellm_memory.database.failures import kind_of
from litellm_memory.errors import SettingsError


def engine_for(url: str) -> Engine:
    """An engine that has not connected yet. Raises SettingsError for a URL that names no database."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_size=4, pool_pre_ping=True)
        engine = create_engine(parsed, poolclass=QueuePool, pool_size=4)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # SQLAlchemy's message would show the URL, which may hold a password.
        raise SettingsError(
            f"litellm_memory.ledger.url: SQLAlchemy cannot use it ({kind_of(error)}): "
            "see whether it is written rightly and its driver is installed."
        ) from None
    event.listen(engine, "connect", _configure)
    return engine


def scrub(engine: Engine) -> None:
    """Vacuums an SQLite file and truncates its WAL, so that deleted data is gone.

    Raises SQLAlchemyError, also when readers keep the WAL from being truncated within SQLite's timeout.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM"))
        busy = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
    if busy:
        raise OperationalError("wal_checkpoint", None, sqlite3.OperationalError("database is locked"))


def _configure(connection: Any, _: object) -> None:
    # WAL lets readers go on while one process writes; NORMAL survives a killed process, but not every power cut.
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def make_file(engine: Engine) -> None:
    """Creates the file of an SQLite ledger, private to its user, and its directory."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        path = Path(engine.url.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
