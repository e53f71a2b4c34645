"""Rollback on the command line of what was learned from a request, or since a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litellm_memory.cli.reach import sidecar
from litellm_memory.terminal.dates import rfc3339
from litellm_memory.terminal.print import MEMORY_COLUMNS, as_json, memory_rows, say, table


@dataclass(frozen=True, slots=True)
class Rollback:
    """What to roll back. ``review``: it is kept for review instead of being forgotten."""

    call: str | None
    since: str | None
    review: bool
    dry_run: bool


async def rolled_back(
    asked: Rollback, *, url: str | None, key: str | None, config: Path, partition: str | None
) -> dict[str, Any]:
    """What was rolled back, or would be."""
    named = {
        name: value for name, value in (("call", asked.call), ("since", rfc3339(asked.since))) if value is not None
    }
    body = {**named, "action": "review" if asked.review else "forget", "dry_run": asked.dry_run}
    async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
        return dict(await answering.ask("POST", "/v1/rollback", json=body))


def print_rollback(told: dict[str, Any], in_json: bool) -> None:
    """Prints the memories and what happened to them."""
    if in_json:
        as_json(told)
        return
    table(MEMORY_COLUMNS, memory_rows(told["data"]), empty="Nothing was learned then.")
    done = {"forget": "forgotten", "review": "put aside for review"}[told["action"]]
    say(f"{len(told['data'])} {'would be ' if told['dry_run'] else ''}{done}")
