"""What calls cost, on the command line."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litellm_memory.cli.print import as_json, table
from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, refuse, run, sidecar

COSTS = ("calls", "input_tokens", "output_tokens", "cached_tokens", "memory_tokens", "cost", "latency")
QUALITY = ("calls", "failures", "truncated", "refused", "empty", "retried", "feedback", "recalled", "learned")


def usage(
    by: Annotated[list[str] | None, typer.Option(help="client, model, user, project or day; several times.")] = None,
    since: Annotated[str | None, typer.Option(help="From this time on, as RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time, as RFC 3339.")] = None,
    quality: Annotated[bool, typer.Option("--quality", help="Print how good the answers were.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a table for a spreadsheet.")] = False,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Tell what calls cost, or how good their answers were."""
    asked = {"by": by, "since": since, "until": until, "partition": partition, "format": "csv" if csv else None}
    params = {name: value for name, value in asked.items() if value}

    async def summed() -> Any:
        async with sidecar(url=url, key=key, config=config) as answering:
            if not csv:
                return (await answering.ask("GET", "/v1/usage", params=params))["data"]
            answer = await answering.http.get("/v1/usage", params=params)
            refuse(answer)
            return answer.text

    found = run(summed())
    if csv:
        typer.echo(found, nl=False)
    elif in_json:
        as_json(found)
    else:
        columns = (*(by or ()), *(QUALITY if quality else COSTS))
        table(columns, ([row[name] for name in columns] for row in found), empty="There are no calls.")
