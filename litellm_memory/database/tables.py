"""The ledger's tables, and their upserts. No column holds a key, or a text that was not redacted first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

FILLED = "listed"
"""The fact that names the store for which these rows are complete."""
SCHEMA_VERSION = 8
"""Raise it with each change that needs a step in ``migrations``."""

WHERE = "where"
"""In an index's ``info``: the condition of a partial one."""

metadata = MetaData()


def _where_set(column: str, *columns: str) -> Index:
    """A partial index of the few memories whose ``column`` is not null."""
    # As ``sqlite_where`` and ``postgresql_where`` both dialects would be imported, and PostgreSQL's takes 0.1 s.
    return Index(f"listed_{column}", *columns, info={WHERE: f"{column} IS NOT NULL"})


facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    comment="What is true of the whole ledger: its schema version and the key of the keyed hashes.",
)

blocks = Table(
    "blocks",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("namespace", String(64), nullable=False, index=True),
    Column("call", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("given", JSON, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("frozen", DateTime(timezone=True), nullable=False, index=True),
    Column("shared", String(16), index=True, comment="How ids of its memories begin that a team shares."),
    comment="The bytes injected for each message of a person, replayed whenever the message is sent again.",
)

answers = Table(
    "answers",
    metadata,
    Column("answer", String(64), primary_key=True),
    Column("namespace", String(64), nullable=False, index=True),
    Column("mark", String(64), nullable=False),
    Column("carried", JSON, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    comment="For conversations that the provider keeps: the message that an answer (hash of its id) belongs to.",
)

journal = Table(
    "journal",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("call", String(64), nullable=False),
    Column("scope", JSON, nullable=False),
    Column("text", Text, nullable=False),
    Column("said", DateTime(timezone=True), nullable=False),
    Column("model", Text),
    Column("answered", Boolean, nullable=False),
    Column("reply", Text),
    Column("reply_tools", Boolean, nullable=False),
    Column("again", Boolean, nullable=False),
    Column("worker", String(256), nullable=False),
    Column("written", DateTime(timezone=True), nullable=False),
    Column("place", Integer, nullable=False, server_default="0"),
    Column("before", String(64)),
    Index("journal_worker", "worker", "answered"),
    comment="Exchanges still to be learned. A row is deleted once it is.",
)

learned = Table(
    "learned",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Marks of the messages that were learned from: once each, also after the memory was forgotten.",
)

texts = Table(
    "texts",
    metadata,
    Column("text", String(64), primary_key=True),
    Column("memory", String(64), nullable=False),
    Column("namespace", String(64), nullable=False, index=True),
    comment="Which memory holds a text (keyed hash), so that two workers that learn the same words merge them.",
)

changes = Table(
    "changes",
    metadata,
    # SQLite assigns keys only to INTEGER columns.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("namespace", String(64), nullable=False),
    Column("memory", String(64), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    sqlite_autoincrement=True,
    comment="Recent changes of memories, for the workers that cache them in RAM.",
)

listed = Table(
    "listed",
    metadata,
    Column("memory", String(64), primary_key=True),
    Column("namespace", String(64), nullable=False),
    Column("partition", String(64), nullable=False),
    Column("created", BigInteger, nullable=False, comment="Microseconds since 1970."),
    Column("project", Text),
    Column("waits", Integer, comment="1 while it waits for review."),
    Column("call", Text),
    Column("successor", String(64)),
    Index("listed_partition", "partition", "created", "memory"),
    Index("listed_namespace", "namespace", "created", "memory"),
    _where_set("waits", "partition", "created", "memory"),
    _where_set("call", "partition", "call", "created", "memory"),
    _where_set("successor", "partition", "successor"),
    comment="The order of lists: a row per memory, so that a page is found without reading the others.",
)

paths = Table(
    "paths",
    metadata,
    Column("namespace", String(64), primary_key=True),
    Column("path", String(256), primary_key=True),
    Column("remote", String(256), nullable=False),
    Column("ambiguous", Boolean, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("paths_remote", "namespace", "remote"),
    comment="Directories that a client sent together with a git remote; ambiguous: also with another one.",
)

partitions = Table(
    "partitions",
    metadata,
    Column("partition", String(64), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Every partition that ever held a memory.",
)

forgotten = Table(
    "forgotten",
    metadata,
    Column("namespace", String(64), primary_key=True),
    Column("memory", String(64), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    comment="Forgotten memories that may still be in the free pages of files, until these are scrubbed.",
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("partition", String(64), nullable=False),
    Column("requested", DateTime(timezone=True), nullable=False),
    Column("progress", String(16), nullable=False),
    Column("user", Text),
    Column("session", Text),
    Column("forgotten", Integer, nullable=False),
    Column("problem", Text),
    Column("finished", DateTime(timezone=True)),
    comment="Erasure jobs. The user and session are named only until their rows are gone.",
)

model_queue = Table(
    "unread",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("namespace", String(64), nullable=False, index=True),
    Column("conversation", String(64), nullable=False, index=True),
    Column("call", String(64), nullable=False),
    Column("scope", JSON, nullable=False),
    Column("text", Text, nullable=False),
    Column("reply", Text),
    Column("said", DateTime(timezone=True), nullable=False),
    Column("model", Text),
    Column("attempts", Integer, nullable=False),
    Column("not_before", DateTime(timezone=True), nullable=False),
    Column("written", DateTime(timezone=True), nullable=False),
    comment="Exchanges that wait to be read by a model. A row is deleted once it has been.",
)

spending = Table(
    "spending",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("cost", Float, nullable=False),
    comment="What the reading model cost each day, including reservations for calls in flight.",
)

traces = Table(
    "traces",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    Column("partition", String(64), nullable=False),
    Column("user", Text, nullable=False),
    Column("namespace", String(64), nullable=False, index=True),
    Column("about", JSON, nullable=False),
    Column("learned", Text, nullable=False, server_default="", comment="A line of JSON per thing learned."),
    Index("traces_partition", "partition", "at"),
    comment="What memory did to a request and why; memories by id, and no text.",
)

calls = Table(
    "calls",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("partition", String(64), nullable=False),
    Column("user", Text, nullable=False),
    Column("client", Text),
    Column("project", Text),
    Column("model_asked", Text),
    Column("model", Text),
    Column("provider", Text),
    Column("kind", String(32)),
    Column("stream", Boolean, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("memory_tokens", BigInteger, nullable=False),
    Column("cost", Float, nullable=False),
    Column("latency", Float, nullable=False),
    Column("first_token", Float),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    Column("retries", Integer, nullable=False),
    Column("finish_reason", Text),
    Column("recalled", Integer, nullable=False),
    Column("feedback", Float),
    Column("quality", String(16)),
    Column("message", String(64), index=True),
    Column("retried", Boolean, nullable=False, server_default=false()),
    Column("learned", Integer, nullable=False, server_default="0"),
    Column("key", String(64)),
    Index("calls_partition", "partition", "at"),
    comment="What each client request cost, as LiteLLM reports it. No text of anybody.",
)

days = Table(
    "days",
    metadata,
    Column("partition", String(64), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("client", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("calls", "failures", "truncated", "refused", "empty", "retried", "retries", "input_tokens")
    ),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("output_tokens", "cached_tokens", "memory_tokens", "recalled", "learned", "rated")
    ),
    *(Column(name, Float, nullable=False) for name in ("cost", "latency", "feedback")),
    comment="The sums of each day's calls. A missing client, model or project is the empty string.",
)

figures = Table(
    "figures",
    metadata,
    Column("host", String(256), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("labels", String(512), primary_key=True),
    Column("value", Float, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Counters of each host's workers, as sums. No label names a person.",
)


def insert_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """True when the row was inserted, False when its primary key existed already."""
    return bool(connection.execute(_insert(connection.dialect.name, table), row).rowcount > 0)


def insert_all_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts the rows whose primary keys do not exist yet."""
    if rows:
        connection.execute(_insert(connection.dialect.name, table), list(rows))


def upsert_all(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts or updates the rows by primary key; columns that a row does not name stay."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(rows[0])), list(rows))


def add_to_all(connection: Connection, table: Table, added: str, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts the rows; where the primary key exists, ``added`` is summed and other columns are replaced."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(rows[0]), added), list(rows))


def insert_into(dialect: str, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT. Only its dialect is imported: PostgreSQL's takes 0.1 s."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


def aware(moment: datetime) -> datetime:
    """``moment`` in UTC; SQLite drops the time zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# Cached, because SQLAlchemy takes longer to build a statement than to run it.
@cache
def _insert(dialect: str, table: Table) -> Any:
    # Without the option SQLAlchemy 2.1 tells no count of rows that were inserted into PostgreSQL.
    return insert_into(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


@cache
def _upsert(dialect: str, table: Table, names: tuple[str, ...], added: str | None = None) -> Any:
    keys = [column.name for column in table.primary_key]
    insert = insert_into(dialect, table)
    changed = {name: insert.excluded[name] for name in names if name not in keys}
    if added is not None:
        changed[added] = table.c[added] + insert.excluded[added]
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)
