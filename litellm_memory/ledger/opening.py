"""Opening a ledger: the engine for its URL, the file and the tables that are missing, the schema brought up to date."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CreateIndex, CreateTable

from litellm_memory.errors import SettingsError
from litellm_memory.ledger.failures import kind_of
from litellm_memory.ledger.migrations import keep_copy, migrate, schema_of
from litellm_memory.ledger.tables import SCHEMA_VERSION, facts, insert_new, metadata


def engine_for(url: str) -> Engine:
    """An engine that has not connected yet. Raises SettingsError for a URL that names no database."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_size=4, pool_pre_ping=True)
        engine = create_engine(parsed, poolclass=QueuePool, pool_size=4)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # Their own texts would show the URL, which may hold a password.
        raise SettingsError(
            f"litellm_memory.ledger.url: SQLAlchemy cannot use it ({kind_of(error)}): "
            "see whether it is written rightly and its driver is installed."
        ) from None
    event.listen(engine, "connect", _configure)
    return engine


def prepare(engine: Engine) -> bytes:
    """The key of a ledger whose file and tables are there and up to date; safe when several workers start at once.

    Raises LedgerError for a newer schema, which is left as it is, and what SQLAlchemy, SQLite and files raise.
    """
    _make_file(engine)
    keep_copy(engine)
    with engine.begin() as connection:
        _make_tables(connection)
        return bytes.fromhex(str(connection.scalar(select(facts.c.value).where(facts.c.name == "key"))))


def scrub(engine: Engine) -> None:
    """Rewrites an SQLite file without what was deleted, and empties its log.

    Raises SQLAlchemyError, also when readers keep the log from being emptied for as long as SQLite waits.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM"))
        busy = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
    if busy:
        raise OperationalError("wal_checkpoint", None, sqlite3.OperationalError("database is locked"))


def _configure(connection: Any, _: object) -> None:
    # WAL lets readers go on while one process writes; NORMAL survives a killed process, not always a power cut.
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _make_file(engine: Engine) -> None:
    """Makes the file of an SQLite ledger, for its owner alone, and its directory."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        path = Path(engine.url.database)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)


def _make_tables(connection: Connection) -> None:
    """Migrates an older schema and creates what is missing."""
    # Python's SQLite would make tables outside of the transaction.
    connection.execute(
        text("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "SELECT pg_advisory_xact_lock(8764)")
    )
    if version := schema_of(connection):
        migrate(connection, version)
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
    insert_new(connection, facts, {"name": "schema", "value": str(SCHEMA_VERSION)})
    insert_new(connection, facts, {"name": "key", "value": secrets.token_hex(32)})
