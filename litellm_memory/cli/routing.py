"""Whose memory a request would see, on the command line."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litellm_memory.cli.people import told_of
from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Url, run, sidecar
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import as_json, fields

Headers = Annotated[
    list[str] | None, typer.Option("--header", "-H", help="A header that the client sends, as `Name: value`.")
]


def identify(
    header: Headers = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    in_json: AsJson = False,
) -> None:
    """Tell how a request with these headers would be routed. Exit code 1 when it would get no memory."""

    async def told() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config) as answering:
            return dict(await answering.ask("GET", "/memory-routing/info", headers=headers_in(header or [])))

    routing = run(told())
    if in_json:
        as_json(routing)
    else:
        standing = {name: told_of(routing[name]) for name in ("recall", "learn", "shared") if routing[name]}
        fields({**routing, "recall": None, "learn": None, "shared": None, **standing})
    if routing["refused"]:
        raise typer.Exit(1)


def headers_in(written: list[str]) -> dict[str, str]:
    """Headers from `Name: value`. Raises CommandError for one that is not written so."""
    headers: dict[str, str] = {}
    for header in written:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise CommandError("A header is written as `Name: value`.")
        headers[name.strip().lower()] = value.strip()
    return headers
