"""Opening a ledger: missing tables are created, and an older schema is migrated."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.schema import CreateIndex, CreateTable

from litellm_memory.database.tables import SCHEMA_VERSION, facts, insert_new, metadata
from litellm_memory.ledger.migrations import keep_copy, migrate, schema_of


def prepare(engine: Engine) -> bytes:
    """Creates or migrates a ledger; returns its key. Safe when several workers start at once.

    Raises LedgerError for a newer schema, which is left alone, and whatever SQLAlchemy, SQLite and files raise.
    """
    keep_copy(engine)
    with engine.begin() as connection:
        _make_tables(connection)
        return bytes.fromhex(str(connection.scalar(select(facts.c.value).where(facts.c.name == "key"))))


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
            connection.execute(CreateIndex(index, if_not_exists=True))
    insert_new(connection, facts, {"name": "schema", "value": str(SCHEMA_VERSION)})
    insert_new(connection, facts, {"name": "key", "value": secrets.token_hex(32)})
