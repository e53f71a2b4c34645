"""Erasing on the command line: starts a job and follows it until no file of the host holds what was forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import typer

from litellm_memory.cli.reach import Sidecar

LOOK_SECONDS = 0.3
"""How often a job's progress is requested."""
PROGRESS = {
    "forgetting": "forgetting memories and rows",
    "scrubbing": "writing files anew without them",
    "done": "no file of this host holds them any more",
}


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """The request that starts an erasure."""

    method: str
    path: str
    session: str | None = None


def erasure_of(
    memory: str | None, *, user: str | None, session: str | None, everybody: bool, now: bool
) -> ErasureRequest | None:
    """The erasure that the options ask for; None for a single memory, whose files may follow later.

    Raises BadParameter for options that name nothing, or several things.
    """
    named = sum((memory is not None, user is not None, everybody))
    if named > 1 or not (named or now):
        raise typer.BadParameter("Give the id of one memory, or --user, or --all, or --now.")
    if session is not None and user is None:
        raise typer.BadParameter("--session needs --user: a session is one user's.")
    if everybody:
        return ErasureRequest("DELETE", "/v1/namespaces")
    if user is not None:
        return ErasureRequest("DELETE", f"/v1/namespaces/{quote(user, safe='')}", session)
    return ErasureRequest("POST", "/v1/jobs") if now else None


async def erased(answering: Sidecar, erasure: ErasureRequest) -> dict[str, Any]:
    """The finished job of this erasure; its steps, and what it waits for, are printed on standard error."""
    job = await answering.ask(erasure.method, erasure.path, params={"session": erasure.session})
    told: tuple[str, str | None] | None = None
    while True:
        if (now := (job["progress"], job["problem"])) != told:
            told = now
            typer.echo(f"{PROGRESS[now[0]]}{f'; waits: {now[1]}' if now[1] else ''}", err=True)
        if job["finished"]:
            return dict(job)
        await asyncio.sleep(LOOK_SECONDS)
        job = await answering.ask("GET", f"/v1/jobs/{job['id']}", params={"partition": job["partition"]})
