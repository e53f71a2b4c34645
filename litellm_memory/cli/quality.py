"""The quality of what is kept, on the command line: audit and review."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any

import typer

from litellm_memory.care.audit import FIXES, Audit, Flaw, audit
from litellm_memory.cli.print import as_json, fields, table
from litellm_memory.cli.reach import (
    CONFIG,
    AsJson,
    CommandError,
    Config,
    Key,
    Partition,
    Sidecar,
    Url,
    User,
    run,
    sidecar,
)
from litellm_memory.cli.secrets import audited_secrets, print_secrets
from litellm_memory.models import Memory, Superseded


def review(
    memory_id: Annotated[str | None, typer.Argument(help="What waits; all of it is listed when left out.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Recall it from now on.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Forget it.")] = False,
    text: Annotated[str | None, typer.Option(help="Accept it in these words.")] = None,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """List what waits for its owner's word, and why; with an id, accept, edit or reject it."""

    async def decided() -> Any:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            if memory_id is None:
                return await answering.rows("/v1/review", user=user)
            return await answering.ask("POST", f"/v1/review/{memory_id}", json=_word(accept, reject, text))

    found = run(decided())
    if in_json:
        as_json({"rejected": memory_id} if found is None else found)
    elif memory_id is None:
        rows = ((row["id"], row["user"], row["kind"], row["reason"], row["text"]) for row in found)
        table(("id", "user", "kind", "why it waits", "text"), rows, empty="Nothing waits for review.")
    elif found is None:
        typer.echo(f"Rejected: {memory_id}")
    else:
        fields(found)


def _word(accept: bool, reject: bool, text: str | None) -> dict[str, str]:
    """The owner's decision for the API. Raises CommandError unless exactly one was given."""
    if accept + reject + (text is not None) != 1:
        raise CommandError("Give one of --accept, --reject and --text.")
    if text is not None:
        return {"action": "edit", "text": text}
    return {"action": "accept" if accept else "reject"}


def audit_memories(
    secrets: Annotated[bool, typer.Option("--secrets", help="Look for secrets in all that is kept.")] = False,
    fix: Annotated[
        list[str] | None,
        typer.Option(help=f"Mend a problem: {', '.join(FIXES)}; several times. `secret` redacts in all that is kept."),
    ] = None,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Show how much of what is kept is junk and how to fix it; --fix fixes the problems that it names."""
    mended = set(fix or ())
    if unknown := mended - set(FIXES):
        raise typer.BadParameter(f"{unknown.pop()} is none of {', '.join(FIXES)}.", param_hint="--fix")
    if secrets or "secret" in mended:
        redacts = audited_secrets(fix="secret" in mended, url=url, key=key, config=config, partition=partition)
        print_secrets(run(redacts), in_json)
        if secrets or mended == {"secret"}:
            return

    async def audited() -> tuple[Audit, list[Flaw]]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            found = await _audit(answering, user)
            done = [flaw for flaw in _once(found.flaws) if flaw.problem in mended]
            for flaw in done:
                await _mend(answering, flaw)
            return found, done

    found, done = run(audited())
    if in_json:
        as_json({**asdict(found), "junk_rate": found.junk_rate, "mended": [flaw.memory for flaw in done]})
        return
    table(("id", "problem", "fix"), ((f.memory, f.problem, f.fix) for f in found.flaws), empty="Nothing is wrong.")
    typer.echo(f"{found.memories} memories in force, junk rate {found.junk_rate:.1%}")
    if done:
        typer.echo(f"{len(done)} memories were mended.")


async def _audit(answering: Sidecar, user: str | None) -> Audit:
    """The audit of what a sidecar keeps. The sidecar redacts what it shows, so it is asked for secrets separately."""
    rows = await answering.rows("/v1/memories", user=user)
    found = _audited(rows, now=datetime.now(UTC))
    places = (await answering.ask("POST", "/v1/audit/secrets", json={"fix": False}))["data"]
    secret = {memory for place in places if place["place"] == "memories" for memory in place["ids"]}
    told = tuple(Flaw(row["id"], "secret", FIXES["secret"]) for row in rows if row["id"] in secret)
    return Audit(found.memories, (*found.flaws, *told))


def _once(flaws: Iterable[Flaw]) -> list[Flaw]:
    """The first flaw of each memory."""
    return list({flaw.memory: flaw for flaw in reversed([*flaws])}.values())[::-1]


async def _mend(answering: Sidecar, flaw: Flaw) -> None:
    if flaw.problem == "instruction_like":
        body = {"review": "the audit found that it speaks to the model or its tools"}
        await answering.ask("PATCH", f"/v1/memories/{flaw.memory}", json=body)
    elif flaw.problem != "secret":  # Secrets are redacted where they are stored.
        await answering.ask("DELETE", f"/v1/memories/{flaw.memory}")


def _audited(rows: list[dict[str, Any]], *, now: datetime) -> Audit:
    """The audits of each user's memories, combined, without secrets: a sidecar redacts what it shows."""
    users: defaultdict[str, list[Memory]] = defaultdict(list)
    for row in rows:
        users[row["user"]].append(_memory(row))
    audits = [audit(memories, now=now, redactor=None) for memories in users.values()]
    return Audit(sum(one.memories for one in audits), tuple(chain.from_iterable(one.flaws for one in audits)))


def _memory(row: dict[str, Any]) -> Memory:
    until, by = row["valid_until"], row["superseded_by"]
    return Memory(
        id=row["id"],
        partition=row.get("partition") or "",
        user=row["user"],
        text=row["text"],
        kind=row["kind"],
        created=datetime.fromisoformat(row["created"]),
        project=row["project"],
        valid_until=datetime.fromisoformat(until) if until else None,
        superseded_by=Superseded(by["id"], by["reason"]) if by else None,
        pinned=row["pinned"],
        uses=row["uses"],
        review=row["review"],
    )
