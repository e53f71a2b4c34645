"""What retention is about to delete, on the command line, and its deletion at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from litellm_memory.cli.bulk import changed, print_changed
from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.client.memories import said
from litellm_memory.client.sidecar import Row, Sidecar


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which memories it would be.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Delete now what the config's `retention` deletes within the hour; --dry-run tells what a new setting would."""

    async def swept() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            going = await _expendable(answering, user, config)
            action = {"action": "forget"}
            return await changed(answering, going, action, dry_run=dry_run, yes=yes, in_json=in_json)

    print_changed(run(swept()), in_json)


async def _expendable(answering: Sidecar, user: str | None, config: Any) -> list[Row]:
    """The memories that go by the settings in the file, which need not be in force yet. Raises SettingsError."""
    from litellm_memory.care.retention import expendable
    from litellm_memory.cli.auditing import memory_of
    from litellm_memory.settings import read_settings

    settings = await asyncio.to_thread(read_settings, config)

    async def of_one(place: Sidecar) -> list[Row]:
        rows = await place.rows("/v1/memories", user=user)
        scopes: defaultdict[str, list[Any]] = defaultdict(list)
        for row in rows:
            scopes[row["user"]].append(memory_of(row))
        now = datetime.now(UTC)
        going = {one.id for scope in scopes.values() for one in expendable(scope, settings.retention, now=now)}
        return [row for row in rows if row["id"] in going]

    return await answering.gathered(of_one, by=said)
