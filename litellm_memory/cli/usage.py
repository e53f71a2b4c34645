"""What calls cost, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, run, sidecar
from litellm_memory.client.sidecar import EVERYWHERE, refuse
from litellm_memory.terminal.dates import rfc3339
from litellm_memory.terminal.print import as_json, say, table

GROUPS = ("client", "model", "user", "project", "day", "partition", "key", "team")
COSTS = ("calls", "input_tokens", "output_tokens", "cached_tokens", "memory_tokens", "cost", "latency")
QUALITY = ("calls", "failures", "truncated", "refused", "empty", "retried", "feedback", "recalled", "learned")


def usage(
    by: Annotated[list[str] | None, typer.Option(help=f"{', '.join(GROUPS)}; several times.")] = None,
    since: Annotated[str | None, typer.Option(help="From this time on, as 3d, yesterday or 2026-11-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    quality: Annotated[bool, typer.Option("--quality", help="Print how good the answers were.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a table for a spreadsheet.")] = False,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Tell what calls cost, or how good their answers were."""

    async def summed() -> Any:
        asked = {"by": by, "since": rfc3339(since), "until": rfc3339(until)}
        # An operator who names no partition asks about all of them, and anybody else about their own.
        asked["partition"] = None if partition == EVERYWHERE else partition
        params = {name: value for name, value in {**asked, "format": "csv" if csv else None}.items() if value}
        async with sidecar(url=url, key=key, config=config) as answering:
            if not csv:
                return (await answering.ask("GET", "/v1/usage", params=params))["data"]
            answer = await answering.http.request("GET", "/v1/usage", params=params)
            refuse(answer)
            return answer.text

    found = run(summed())
    if csv:
        say(found, nl=False)
    elif in_json:
        as_json(found)
    else:
        columns = (*_groups(by or ()), *(QUALITY if quality else COSTS))
        table(
            columns,
            ([row[name] for name in columns] for row in found),
            empty="There are no calls yet: they are counted once somebody asks the proxy.",
        )


def _groups(by: Sequence[str]) -> list[str]:
    """The columns for these groups; what is known by a name has that too."""
    return [*by, *(["label"] if {"partition", "key", "team"} & set(by) else [])]
