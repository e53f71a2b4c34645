"""Erasing on the command line: starts a job and follows it until no file of the host holds what was forgotten."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import typer

from litellm_memory.cli.people import places_of, print_places
from litellm_memory.client.sidecar import PAGE, Sidecar
from litellm_memory.terminal.print import as_json, say

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
    return await followed(
        answering, await answering.ask(erasure.method, erasure.path, params={"session": erasure.session})
    )


async def confirm_user(answering: Sidecar, user: str, session: str | None) -> None:
    """Asks whether a user is to be erased, and ends the command without a yes. Raises CommandError for nobody."""
    found = await answering.ask("GET", "/v1/namespaces", params={"limit": PAGE})
    held = {row["user"]: row["memories"] for row in found["data"]}
    much = f"all {held[user]} memories" if user in held else "whatever is held"
    much = f"session {session}" if session else much
    typer.confirm(f"Erase {much} of {user} from every file? This cannot be undone.", abort=True, err=True)


async def erased_person(
    person: str, reached: AbstractAsyncContextManager[Sidecar], *, yes: bool
) -> list[dict[str, Any]]:
    """The receipts of a person's erasure, one for each place, after these were told and confirmed."""
    async with reached as answering:
        places = await places_of(answering, person)
        print_places(places)
        if not yes:
            typer.confirm("Erase all of this from every file? This cannot be undone.", abort=True, err=True)
        body = {"name": person, "confirmed": [place["id"] for place in places]}
        begun = (await answering.ask("POST", "/v1/people/erase", json=body))["data"]
        return [await followed(answering, job) for job in begun]


def midnight() -> str:
    """When today began where the command runs, as RFC 3339."""
    return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0).isoformat()


def print_receipts(receipts: list[dict[str, Any]], in_json: bool) -> None:
    """Prints what was erased, and once what is left to do."""
    if in_json:
        as_json(receipts)
        return
    for number, receipt in enumerate(receipts, 1):
        last = number == len(receipts)
        print_receipt(receipt if last else {**receipt, "remaining_steps": []})


def print_receipt(told: dict[str, Any]) -> None:
    """Prints what was forgotten, and what is left to do."""
    say(f"Forgotten: {told['forgotten']}")
    counts = ", ".join(f"{count} {name}" for name, count in told.get("erased", {}).items() if count)
    if counts:
        say(f"Receipt {told['id']}, {told['finished']}: {counts}")
    for step in told.get("remaining_steps", ()):
        say(f"Left to do: {step}")


async def followed(answering: Sidecar, job: dict[str, Any]) -> dict[str, Any]:
    """A job once it is finished; its steps, and what it waits for, are printed on standard error."""
    told: tuple[str, str | None] | None = None
    while True:
        if (now := (job["progress"], job["problem"])) != told:
            told = now
            say(f"{PROGRESS[now[0]]}{f'; waits: {now[1]}' if now[1] else ''}", err=True)
        if job["finished"]:
            return dict(job)
        await asyncio.sleep(LOOK_SECONDS)
        job = await answering.ask("GET", f"/v1/jobs/{job['id']}", params={"partition": job["partition"]})
