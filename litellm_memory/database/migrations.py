"""Migrations from older schemas to this version's: in place, in one transaction, after a copy of the file."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.schema import CreateTable

from litellm_memory.database.days import sum_up
from litellm_memory.database.tables import SCHEMA_VERSION, blocks, calls, days, facts, journal, traces
from litellm_memory.errors import LedgerError

ASIDE: Final = "aside"
"""The directory, next to the ledger's file, for copies and damaged files."""


def schema_of(connection: Connection) -> int | None:
    """The schema version of a database; None when it holds no ledger yet. Raises LedgerError for a newer one."""
    if not inspect(connection).has_table(facts.name):
        return None
    version = connection.scalar(select(facts.c.value).where(facts.c.name == "schema"))
    if version is not None and int(version) > SCHEMA_VERSION:
        raise LedgerError(
            f"The ledger has schema version {version} and this litellm-memory knows {SCHEMA_VERSION}: "
            "install the version that wrote it, or a newer one."
        )
    return None if version is None else int(version)


def keep_copy(engine: Engine) -> None:
    """Copies an SQLite ledger of an older schema aside, once; backing up another database is up to its operator."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return
    with engine.connect() as connection:
        version = schema_of(connection)
    if version is None or version == SCHEMA_VERSION:
        return
    path = Path(engine.url.database)
    aside = path.parent / ASIDE
    aside.mkdir(mode=0o700, exist_ok=True)
    handle, copy = tempfile.mkstemp(dir=aside)
    os.close(handle)
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
        [copied] = new.execute("SELECT value FROM facts WHERE name = 'schema'").fetchone()
    if copied == str(version):
        Path(copy).replace(aside / f"{path.stem}-schema-{version}{path.suffix}")
    else:
        # Another worker was faster and kept the copy.
        Path(copy).unlink()


def migrate(connection: Connection, version: int) -> None:
    """Migrates a schema of ``version`` to this version's, in the caller's transaction."""
    for step in range(version, SCHEMA_VERSION):
        MIGRATIONS[step](connection)
    connection.execute(facts.update().where(facts.c.name == "schema").values(value=str(SCHEMA_VERSION)))


def _answers_know_their_namespace(connection: Connection) -> None:
    """Adds the namespace to answers, so that they can be erased with it; where the block is missing, it stays
    unknown."""
    connection.execute(text("ALTER TABLE answers ADD COLUMN namespace VARCHAR(64) NOT NULL DEFAULT ''"))
    connection.execute(text("CREATE INDEX IF NOT EXISTS ix_answers_namespace ON answers (namespace)"))
    connection.execute(
        text(
            "UPDATE answers SET namespace = COALESCE("
            "(SELECT blocks.namespace FROM blocks WHERE blocks.mark = answers.mark), '')"
        )
    )


def _days_are_summed_up(connection: Connection) -> None:
    """Adds daily sums, and to each call its quality, the memories learned from it and whether it was retried."""
    if not inspect(connection).has_table(calls.name):
        return
    connection.execute(text("ALTER TABLE calls ADD COLUMN quality VARCHAR(16)"))
    connection.execute(text("ALTER TABLE calls ADD COLUMN message VARCHAR(64)"))
    connection.execute(text("ALTER TABLE calls ADD COLUMN retried BOOLEAN NOT NULL DEFAULT false"))
    connection.execute(text("ALTER TABLE calls ADD COLUMN learned INTEGER NOT NULL DEFAULT 0"))
    connection.execute(CreateTable(days, if_not_exists=True))
    sum_up(connection)


def _traces_take_what_was_learned_as_it_comes(connection: Connection) -> None:
    """Adds a column for learned entries; existing traces keep theirs in the JSON of ``about``."""
    if inspect(connection).has_table(traces.name):
        connection.execute(text("ALTER TABLE traces ADD COLUMN learned TEXT NOT NULL DEFAULT ''"))


def _exchanges_know_their_place(connection: Connection) -> None:
    """Adds to exchanges their place in the conversation, and the message before; those that wait have none."""
    if not inspect(connection).has_table(journal.name):
        return
    there = {column["name"] for column in inspect(connection).get_columns(journal.name)}
    for name, kind in (("place", "INTEGER NOT NULL DEFAULT 0"), ("before", "VARCHAR(64)")):
        if name not in there:
            connection.execute(text(f"ALTER TABLE journal ADD COLUMN {name} {kind}"))


def _calls_know_their_key(connection: Connection) -> None:
    """Adds to calls a hash of the key that paid for them; those so far have none."""
    if inspect(connection).has_table(calls.name):
        there = {column["name"] for column in inspect(connection).get_columns(calls.name)}
        if "key" not in there:
            connection.execute(text('ALTER TABLE calls ADD COLUMN "key" VARCHAR(64)'))


def _blocks_know_what_is_shared(connection: Connection) -> None:
    """Adds to blocks what a team shares in them; those so far hold nothing of that."""
    if inspect(connection).has_table(blocks.name):
        there = {column["name"] for column in inspect(connection).get_columns(blocks.name)}
        if "shared" not in there:
            connection.execute(text("ALTER TABLE blocks ADD COLUMN shared VARCHAR(16)"))
            connection.execute(text("CREATE INDEX IF NOT EXISTS ix_blocks_shared ON blocks (shared)"))


def _proposals_know_their_original(connection: Connection) -> None:
    """Adds to proposals the memory that was proposed; of those so far it is unknown."""
    if inspect(connection).has_table("proposals"):
        there = {column["name"] for column in inspect(connection).get_columns("proposals")}
        if "original" not in there:
            connection.execute(text("ALTER TABLE proposals ADD COLUMN original VARCHAR(64)"))
            connection.execute(text("CREATE INDEX IF NOT EXISTS ix_proposals_original ON proposals (original)"))


MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {
    1: _answers_know_their_namespace,
    2: _days_are_summed_up,
    3: _traces_take_what_was_learned_as_it_comes,
    4: _exchanges_know_their_place,
    5: _calls_know_their_key,
    6: _blocks_know_what_is_shared,
    7: _proposals_know_their_original,
}
"""The step from each version to the next."""
