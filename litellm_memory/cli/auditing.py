"""The audit of what a sidecar keeps, and its fixes, on the command line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

import typer

from litellm_memory.care.audit import FIXES, Audit, Flaw, audit
from litellm_memory.client.sidecar import Sidecar
from litellm_memory.errors import CommandError
from litellm_memory.models import Memory, Superseded
from litellm_memory.terminal.print import as_json, owner, say, table, with_owner


def unknown_fix(wanted: Collection[str]) -> str | None:
    """What to say of a fix that there is none of; None when all are known."""
    unknown = sorted(set(wanted) - set(FIXES))
    return f"{unknown[0]} is none of {', '.join(FIXES)}." if unknown else None


@dataclass(frozen=True, slots=True)
class Audited:
    """The audit of one partition, and the texts of its memories by their ids."""

    place: Sidecar
    found: Audit
    texts: Mapping[str, str]

    def flaws(self, mended: Collection[str]) -> list[Flaw]:
        """The first flaw of each memory, of those to mend."""
        first = {flaw.memory: flaw for flaw in reversed(self.found.flaws)}
        return [flaw for flaw in reversed(first.values()) if flaw.problem in mended]


async def audited(
    answering: Sidecar, user: str | None, mended: Collection[str], *, yes: bool, in_json: bool
) -> tuple[list[Audited], list[str]]:
    """The audit of each partition that is meant, and the ids of what was mended.

    What would be forgotten is shown before, and agreed to.
    """
    found = [await _audit(one, user) async for one in answering.each()]
    if not yes:
        _ask(found, mended, in_json)
    for one in found:
        for flaw in one.flaws(mended):
            await _mend(one.place, flaw)
    return found, [flaw.memory for one in found for flaw in one.flaws(mended)]


def print_audit(audits: Sequence[Audited], done: Sequence[str], in_json: bool) -> None:
    """Prints what is wrong and what was mended."""
    found = Audit(sum(one.found.memories for one in audits), tuple(chain.from_iterable(o.found.flaws for o in audits)))
    flaws = [{**asdict(flaw), **_whose(one.place)} for one in audits for flaw in one.found.flaws]
    if in_json:
        as_json({"memories": found.memories, "flaws": flaws, "junk_rate": found.junk_rate, "mended": done})
        return
    rows = ((flaw["memory"], flaw["problem"], flaw["fix"]) for flaw in flaws)
    table(*with_owner(("id", "problem", "fix"), rows, flaws), empty="Nothing is wrong.")
    say(f"{found.memories} memories in force, junk rate {found.junk_rate:.1%}", err=True)
    if done:
        say(f"{len(done)} memories were mended.", err=True)


def _whose(place: Sidecar) -> dict[str, str | None]:
    return {"partition": place.partition, "label": place.label} if place.is_one_of_several else {}


def _ask(audits: Sequence[Audited], mended: Collection[str], in_json: bool) -> None:
    """Shows what would be forgotten, a duplicate with what it repeats, and ends the command unless that is meant."""
    going = [(one, flaw) for one in audits for flaw in one.flaws(mended) if flaw.problem in FORGOTTEN]
    if not going:
        return
    if in_json:
        raise CommandError(f"{len(going)} memories would be forgotten: give --yes with --json.")
    for one, flaw in going:
        say(f"{owner(_whose(one.place))}{flaw.problem}: {one.texts[flaw.memory]}", err=True)
        if flaw.like is not None:
            say(f"  it says the same as: {one.texts[flaw.like]}", err=True)
    typer.confirm(f"Forget these {len(going)}?", abort=True, err=True)


FORGOTTEN: Final = ("own_block", "machine_text", "duplicate", "unused")
"""The problems whose fix is to forget the memory."""


async def _audit(answering: Sidecar, user: str | None) -> Audited:
    """The audit of what a sidecar keeps in a partition. It redacts what it shows, so it is asked for secrets too."""
    rows = await answering.rows("/v1/memories", user=user)
    found = _audited(rows, now=datetime.now(UTC))
    places = (await answering.ask("POST", "/v1/audit/secrets", json={"fix": False}))["data"]
    secret = {memory for place in places if place["place"] == "memories" for memory in place["ids"]}
    told = tuple(Flaw(row["id"], "secret", FIXES["secret"]) for row in rows if row["id"] in secret)
    texts = {row["id"]: row["text"] for row in rows}
    return Audited(answering, Audit(found.memories, (*found.flaws, *told)), texts)


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
        users[row["user"]].append(memory_of(row))
    audits = [audit(memories, now=now, redactor=None) for memories in users.values()]
    return Audit(sum(one.memories for one in audits), tuple(chain.from_iterable(one.flaws for one in audits)))


def memory_of(row: dict[str, Any]) -> Memory:
    """A memory from what the API shows of it."""
    until, by, used = row["valid_until"], row["superseded_by"], row["last_used"]
    kept = row.get("kept")
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
        last_used=datetime.fromisoformat(used) if used else None,
        review=row["review"],
        kept=datetime.fromisoformat(kept) if kept else None,
    )
