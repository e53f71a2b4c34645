"""Sharing with one's team on the command line. Curators decide with ``review --partition layer:TEAM``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Url, run, sidecar
from litellm_memory.client.memories import whole_id
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import MEMORY_COLUMNS, as_json, fields, memory_rows, table


def share(
    memory_id: Annotated[str | None, typer.Argument(help="What to propose; all that is shared when left out.")] = None,
    text: Annotated[str | None, typer.Option(help="Propose it in these words.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="List what you proposed and nobody decided yet.")] = False,
    withdraw: Annotated[str | None, typer.Option(help="Take back the proposal with this id.")] = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    in_json: AsJson = False,
) -> None:
    """List what your team shares; with an id, propose a memory of yours to it, for a curator to decide."""

    async def done() -> Any:
        if (memory_id is not None) + waiting + (withdraw is not None) > 1:
            raise CommandError("Give one of an id, --waiting and --withdraw.")
        async with sidecar(url=url, key=key, config=config) as answering:
            if memory_id is not None:
                proposal = {"memory": await whole_id(answering, memory_id), "text": text}
                return await answering.ask("POST", "/v1/shared", json=proposal)
            if withdraw is not None:
                await answering.ask("DELETE", f"/v1/shared/proposals/{withdraw}")
                return {"withdrawn": withdraw}
            if waiting:
                return (await answering.ask("GET", "/v1/shared/proposals"))["data"]
            return await answering.rows("/v1/shared", user=None)

    found = run(done())
    if in_json:
        as_json(found)
    elif isinstance(found, list):
        table(MEMORY_COLUMNS, memory_rows(found), empty="There is nothing.")
    else:
        fields(found)
