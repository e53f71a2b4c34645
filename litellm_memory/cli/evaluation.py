"""How well recall does on an operator's own store, on the command line."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.terminal.print import as_json, say, table

COLUMNS = ("questions", "count", "R@10", "in a block", "given something", "of the block", "memories")


def evaluate(
    user: User = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest traces are read.")] = 1000,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Tell how much of what earlier answers used recall finds today; no chat model is asked."""

    async def evaluated() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return dict(await answering.ask("GET", "/v1/evaluation", params={"user": user, "limit": limit}))

    found = run(evaluated())
    if in_json:
        as_json(found)
        return
    of_requests = f"{found['questions']} of {found['requests']} requests that were given memories can be asked again"
    if found["questions"] < found["fewest"]:
        say(f"There is too little to say: {of_requests}, and it takes {found['fewest']}.")
        return
    table(COLUMNS, (list(row.values()) for row in found["rows"]), empty="")
    say(f"{of_requests}. All but the counts and the memories in a block is in percent.")
