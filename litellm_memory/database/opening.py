"""Opening a ledger: missing tables are created, and an older schema is migrated."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from litellm_memory.database.engine import engine_for
from litellm_memory.database.failures import failed
from litellm_memory.database.migrations import keep_copy, migrate, schema_of
from litellm_memory.database.tables import SCHEMA_VERSION, WHERE, facts, insert_new, metadata


def prepare(engine: Engine) -> bytes:
    """Creates or migrates a ledger; returns its key. Safe when several workers start at once.

    Raises LedgerError for a newer schema, which is left alone, and whatever SQLAlchemy, SQLite and files raise.
    """
    keep_copy(engine)
    with engine.begin() as connection:
        _make_tables(connection)
        return bytes.fromhex(str(connection.scalar(select(facts.c.value).where(facts.c.name == "key"))))


def schema_and_store(url: str) -> tuple[int | None, str | None]:
    """The schema version of the ledger at ``url``, and the id of its store; None where there is none yet.

    Creates and migrates nothing. Raises LedgerError, or SettingsError for a URL that names no database.
    """
    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            version = schema_of(connection)
            store = connection.scalar(select(facts.c.value).where(facts.c.name == "store")) if version else None
            return version, store
    except SQLAlchemyError as error:
        raise failed("The ledger cannot be opened", error, remedy="check `ledger.url` and `data_dir`") from None
    finally:
        engine.dispose()


def _make_tables(connection: Connection) -> None:
    """Migrates an older schema and creates missing tables."""
    # By default, Python's SQLite creates tables outside of the transaction.
    connection.execute(
        text("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "SELECT pg_advisory_xact_lock(8764)")
    )
    if version := schema_of(connection):
        migrate(connection, version)
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            if WHERE in index.info:
                index.dialect_options[connection.dialect.name]["where"] = text(index.info[WHERE])
            connection.execute(CreateIndex(index, if_not_exists=True))
    insert_new(connection, facts, {"name": "schema", "value": str(SCHEMA_VERSION)})
    insert_new(connection, facts, {"name": "key", "value": secrets.token_hex(32)})
