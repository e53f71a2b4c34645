"""Import of conversations on the command line: whose they become and what would be learned is shown before it is."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import typer

from litellm_memory.client.sidecar import Sidecar
from litellm_memory.errors import CommandError, LiteLLMMemoryError
from litellm_memory.foreign.past import OF_SEVERAL, PROGRAMS, conversations_in, files_below, program_of
from litellm_memory.terminal.print import as_json, say, table

AT_ONCE: Final = 20
BYTES_AT_ONCE: Final = 2 * 2**20
"""Of a request, which may have twice as many: a conversation that is larger by itself is sent alone."""
LONGEST: Final = 600.0
"""Seconds that a request may take."""


@dataclass(slots=True)
class Told:
    """The sums over all requests of an import."""

    taken: int = 0
    known: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    owners: Counter[tuple[str, str]] = field(default_factory=Counter)
    memories: list[dict[str, Any]] = field(default_factory=list)
    unreadable: int = 0
    """Files."""

    def add(self, answer: Mapping[str, Any]) -> None:
        """Adds the answer to one request."""
        self.taken += answer["taken"]
        self.known += answer["known"]
        self.left_out.update(answer["left_out"])
        self.owners.update({(one["partition"], one["user"]): one["messages"] for one in answer["owners"]})
        self.memories += answer["memories"]


async def programs_of(source: Path, name: str | None) -> dict[Path, str]:
    """The files at ``source`` that hold conversations, and the program of each; none when it holds memories.

    Raises CommandError for a directory without any.
    """
    try:
        return await asyncio.to_thread(_programs, source, name)
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}.") from None


def _programs(source: Path, name: str | None) -> dict[Path, str]:
    named = {file: name or _program(file) for file in files_below(source)}
    found = {file: program for file, program in named.items() if program in PROGRAMS}
    if source.is_dir() and not found:
        raise CommandError(f"{source} holds no conversations of {', '.join(PROGRAMS)}.")
    return found


async def learned(
    reached: AbstractAsyncContextManager[Sidecar], files: Mapping[Path, str], user: str | None, *, dry: bool, yes: bool
) -> Told:
    """What became of the conversations in these files, or in a dry run would. Raises CommandError.

    Those of several people are shown with whose they would be, and asked about, unless ``yes``. Raises typer.Abort.
    """
    async with reached as answering:
        if not dry and not yes and OF_SEVERAL & set(files.values()):
            told = await _sent(answering, files, user, dry=True)
            if len(told.owners) > 1:
                _show_owners(told)
                typer.confirm("Learn from these messages for these people?", abort=True, err=True)
        return await _sent(answering, files, user, dry=dry)


async def _sent(answering: Sidecar, files: Mapping[Path, str], user: str | None, *, dry: bool) -> Told:
    """Sends the conversations in these files, in their order. Raises CommandError."""
    told = Told()
    for batch in _batches(_conversations(files, told)):
        given = [{**one, "user": user} if user else one for one in batch]
        body, params = {"conversations": given}, {"dry_run": str(dry).lower()}
        told.add(await answering.ask("POST", "/v1/import/conversations", params=params, json=body, timeout=LONGEST))
    return told


def _show_owners(told: Told) -> None:
    owners = [(*owner, count) for owner, count in told.owners.most_common()]
    table(("partition", "user", "messages"), owners, empty="Nobody said anything new in them.")


def show(told: Told, *, dry: bool, in_json: bool) -> None:
    """Prints what became of the messages; for a dry run also whose they would be and what would be learned."""
    if in_json:
        as_json(_fields(told))
        return
    if dry:
        _show_owners(told)
        kept = [(one["kind"], one["project"] or "", one["text"], one["review"] or "") for one in told.memories]
        table(("kind", "project", "would be learned", "waits, because"), kept, empty="Nothing would be learned.")
    left_out = sum(told.left_out.values())
    verb = "would be learned from" if dry else "are being learned from"
    say(f"{told.taken} messages {verb}, {told.known} are known, {left_out} are no words of a person, or refused.")
    for reason, count in told.left_out.most_common():
        say(f"  {count} {reason.replace('_', ' ')}")


def _fields(told: Told) -> dict[str, Any]:
    return {
        "taken": told.taken,
        "known": told.known,
        "left_out": dict(told.left_out.most_common()),
        "owners": [
            {"partition": partition, "user": user, "messages": count}
            for (partition, user), count in told.owners.most_common()
        ],
        "memories": told.memories,
    }


def _program(file: Path) -> str:
    """The program of a file; nothing for one that is none of theirs, or no JSON."""
    try:
        return program_of(file) or ""
    except LiteLLMMemoryError:
        return ""


def _conversations(files: Mapping[Path, str], told: Told) -> Iterator[dict[str, Any]]:
    for file, program in files.items():
        try:
            yield from map(dict, conversations_in(file, program, told.left_out))
        except LiteLLMMemoryError as error:
            told.unreadable += 1
            say(f"{file}: {error}", err=True)


def _batches(conversations: Iterator[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for one in conversations:
        bytes_ = len(json.dumps(one, ensure_ascii=False).encode("utf-8", "replace"))
        if batch and (len(batch) == AT_ONCE or size + bytes_ > BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += bytes_
    if batch:
        yield batch
