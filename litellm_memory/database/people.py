"""The ledger's tables of people: who holds a partition, what they switched off, and what was erased for them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Column, DateTime, String, Table

from litellm_memory.database.tables import metadata

LONGEST_LABEL: Final = 128

holders = Table(
    "holders",
    metadata,
    Column("partition", String(64), primary_key=True),
    Column("key", String(64), primary_key=True, comment="A hash of LiteLLM's hash of it; empty without a key."),
    Column("bound", String(8), nullable=False, comment="What the partition is derived from: user, team or key."),
    Column("namespace", String(64), nullable=False, index=True, comment="The key's own user, inside a team."),
    *(Column(name, String(LONGEST_LABEL)) for name in ("user", "email", "alias", "team", "team_alias")),
    Column("seen", DateTime(timezone=True), nullable=False),
    comment="Who holds a partition, as LiteLLM verified it, a row per key. Labels for people: nothing is decided here.",
)

switches = Table(
    "switches",
    metadata,
    Column("namespace", String(64), primary_key=True),
    Column("name", String(8), primary_key=True, comment="recall, learn or shared; with + before it: agreed to."),
    Column("partition", String(64), nullable=False),
    Column("until", DateTime(timezone=True), comment="Null: until the person says so."),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="What people have paused for themselves, or agreed to.",
)

proposals = Table(
    "proposals",
    metadata,
    Column("memory", String(64), primary_key=True),
    Column("namespace", String(64), primary_key=True, index=True, comment="Of the person who proposed it."),
    Column("partition", String(64), nullable=False),
    Column("user", String(256), nullable=False),
    Column("layer", String(64), nullable=False, comment="The partition of what the team shares."),
    Column("original", String(64), index=True, comment="The person's own memory; unknown before schema 8."),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Who proposed to share a memory with their team, until the memory or the person is erased.",
)

receipts = Table(
    "receipts",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("partition", String(64), nullable=False),
    Column("counts", JSON, nullable=False, comment="Rows that were erased, by table."),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="What an erasure took away: numbers and ids, no name and no text.",
)
