"""The quality of what is kept, on the command line: audit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import typer

from litellm_memory.audit import Audit, audit
from litellm_memory.cli.print import as_json, table
from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.models import Memory, Superseded

PAGE = 1000


def audit_memories(
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Tell how much of what is kept is junk, and what mends each piece."""

    async def read() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            cursor = None
            while True:
                params = {"user": user, "limit": PAGE, "cursor": cursor}
                page = await answering.ask("GET", "/v1/memories", params=params)
                rows += page["data"]
                cursor = page["next_cursor"]
                if cursor is None:
                    return rows

    found = _audited(run(read()), now=datetime.now(UTC))
    if in_json:
        as_json({**asdict(found), "junk_rate": found.junk_rate})
        return
    table(("id", "problem", "fix"), ((f.memory, f.problem, f.fix) for f in found.flaws), empty="Nothing is wrong.")
    typer.echo(f"{found.memories} memories in force, junk rate {found.junk_rate:.1%}")


def _audited(rows: list[dict[str, Any]], *, now: datetime) -> Audit:
    """The audits of each user's memories, as one."""
    users: defaultdict[str, list[Memory]] = defaultdict(list)
    for row in rows:
        users[row["user"]].append(_memory(row))
    audits = [audit(memories, now=now) for memories in users.values()]
    return Audit(sum(one.memories for one in audits), tuple(chain.from_iterable(one.flaws for one in audits)))


def _memory(row: dict[str, Any]) -> Memory:
    until, by = row["valid_until"], row["superseded_by"]
    return Memory(
        id=row["id"],
        partition=row.get("partition") or "",
        user=row["user"],
        text=row["text"],
        kind=row["kind"],
        created=datetime.fromisoformat(row["created"]),
        project=row["project"],
        valid_until=datetime.fromisoformat(until) if until else None,
        superseded_by=Superseded(by["id"], by["reason"]) if by else None,
        pinned=row["pinned"],
        uses=row["uses"],
    )
