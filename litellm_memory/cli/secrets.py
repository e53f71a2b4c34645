"""Secrets that an older version stored, on the command line: found, and redacted on request."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import typer

from litellm_memory.cli.erase import ErasureRequest, erased
from litellm_memory.client.sidecar import Row, Sidecar
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import as_json, say, table, with_owner


async def audited_secrets(
    reached: AbstractAsyncContextManager[Sidecar], *, fix: bool, yes: bool, in_json: bool
) -> dict[str, Any]:
    """The findings, once the files no longer hold what was redacted; of several partitions it is asked before."""
    async with reached as answering:
        found = await answering.gathered(_kept)
        jobs: list[dict[str, Any]] = []
        if fix and found:
            if answering.is_everywhere and not yes:
                _ask(found, in_json)
            holding = dict.fromkeys(row.get("partition") for row in found)
            for one in [answering.within(name) if name else answering for name in holding]:
                await one.ask("POST", "/v1/audit/secrets", json={"fix": True})
                jobs.append(await erased(one, ErasureRequest("POST", "/v1/jobs")))
        done: dict[str, Any] = {"jobs": jobs} if answering.is_everywhere else {"job": next(iter(jobs), None)}
        return {"fixed": bool(jobs), "data": found, **done}


async def _kept(one: Sidecar) -> list[Row]:
    return list((await one.ask("POST", "/v1/audit/secrets", json={"fix": False}))["data"])


def _ask(found: list[Row], in_json: bool) -> None:
    """Tells in how many partitions how much would be redacted, and ends the command unless that is meant."""
    places = len({row["partition"] for row in found})
    if in_json:
        raise CommandError(f"Secrets of {places} partitions would be redacted: give --yes with --json.")
    for row in found:
        say(f"  {row['label'] or row['partition']}: {_what(row)} in {row['place']}", err=True)
    typer.confirm(f"Redact these in {places} partitions? This cannot be undone.", abort=True, err=True)


def print_secrets(found: dict[str, Any], in_json: bool) -> None:
    """Prints where secrets are and of what kinds; never the secrets."""
    if in_json:
        as_json(found)
        return
    rows = ((kept["place"], _what(kept), " ".join(kept["ids"])) for kept in found["data"])
    table(*with_owner(("where", "what", "ids"), rows, found["data"]), empty="No secret is kept.")
    if found["data"]:
        say("They are redacted now." if found["fixed"] else "Redact them with --fix secret, and change them.")


def _what(kept: Row) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kept["kinds"].items())
