"""The tables of what was said and what a wish removed. They hold keyed hashes, and a removed memory for ten minutes."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, String, Table

from litellm_memory.database.tables import metadata

sayings = Table(
    "sayings",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("words", String(64), nullable=False, index=True),
    Column("conversation", String(64), index=True),
    Column("place", Integer, nullable=False),
    Column("said", DateTime(timezone=True), nullable=False),
    Column("forgotten", DateTime(timezone=True)),
    Column("paused", Boolean, nullable=False),
    comment="Where each message was said, in keyed hashes, and since when what it told is forgotten.",
)

removed = Table(
    "removed",
    metadata,
    Column("memory", String(64), primary_key=True),
    Column("namespace", String(64), nullable=False, index=True),
    Column("partition", String(64), nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Memories that a person wished to be forgotten, for as long as the wish can be undone.",
)
