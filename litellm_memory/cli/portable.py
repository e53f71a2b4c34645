"""Export and import on the command line, with progress; an interrupted import is simply run again."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from litellm_memory.cli.people import places_of
from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.client.plain_http import BrokenError
from litellm_memory.client.sidecar import BusyError, Sidecar, refuse
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import Shown, as_json, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from litellm_memory.foreign import Converted

LINES_AT_ONCE = 200
"""Lines per request: each is durable when the request is answered; progress is shown in these steps."""
PROGRESS_SECONDS = 2.0
"""Interval between two lines of progress."""
LONGEST_IMPORT = 600.0
"""Seconds that a request with lines may take."""


def export(
    to: Annotated[Path | None, typer.Option("--to", help="A file; standard output when left out.")] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Write all that is held, not the memories alone.")
    ] = False,
    person: Annotated[
        str | None, typer.Option(help="With --everything: the person whose keys have this name, in every partition.")
    ] = None,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
) -> None:
    """Write all memories, one JSON object a line. Without --user those of all users."""
    if person is not None and (not everything or user is not None or partition is not None):
        raise typer.BadParameter("--person goes with --everything, and names neither user nor partition.")

    async def exported() -> None:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            with _output(to) as output:
                path, lines = "/v1/export/person" if everything else "/v1/export", 0
                async for place in _places(answering, person, user, quiet=to is None):
                    lines = await _write(answering, path, place, output, lines, told=to is not None)
            if to is not None:
                say(f"{lines} lines were written.", err=True)

    run(exported())


async def _places(
    answering: Sidecar, person: str | None, user: str | None, *, quiet: bool
) -> AsyncIterator[Mapping[str, Any]]:
    """What to export: the places of a person, or the partitions that are meant."""
    if person:
        for place in await places_of(answering, person):
            yield place
        return
    async for one in answering.each(quiet=quiet):
        yield {"user": user, "partition": one.partition}


async def _write(
    answering: Sidecar, path: str, place: Mapping[str, Any], output: BinaryIO | Shown, lines: int, *, told: bool
) -> int:
    """Writes an export of one place after so many lines; how many there are then.

    Raises CommandError when it is refused or breaks off.
    """
    params = {name: place[name] for name in ("user", "partition") if place[name]}
    async with answering.http.stream("GET", path, params=params) as answer:
        if not answer.is_success:
            await answer.aread()
        refuse(answer)
        return await _written(answer.aiter_bytes(), output, lines, told=told)


async def _written(chunks: AsyncIterator[bytes], output: BinaryIO | Shown, lines: int, *, told: bool) -> int:
    """Writes an export; with ``told``, standard error says how far it is. Raises CommandError when it breaks off."""
    say_next = time.monotonic() + PROGRESS_SECONDS
    try:
        async for chunk in chunks:
            output.write(chunk)
            lines += chunk.count(b"\n")
            if told and time.monotonic() >= say_next:
                say(f"{lines} lines so far", err=True)
                say_next = time.monotonic() + PROGRESS_SECONDS
    except BrokenError as error:
        raise CommandError(f"The export broke off: start it again. {error}") from None
    return lines


def import_memories(
    source: Annotated[
        Path, typer.Argument(help="A file that a product exported, or a directory of transcripts.", show_default=False)
    ],
    from_: Annotated[
        str | None,
        typer.Option("--from", help="Which product wrote it, such as mem0 or claude-code; guessed when left out."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be kept.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whose conversations of several people are.")] = False,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Keep memories from a file, or learn from conversations; the same file twice is the same as once.

    Exit code 1 when a line or a file was refused.
    """
    from litellm_memory.cli import past
    from litellm_memory.foreign import FORMATS

    if found := {} if from_ in FORMATS else run(past.programs_of(source, from_)):
        reached = sidecar(url=url, key=key, config=config, partition=partition)
        told = run(past.learned(reached, found, user, dry=dry_run, yes=yes or in_json))
        past.show(told, dry=dry_run, in_json=in_json)
        raise typer.Exit(1 if told.unreadable else 0)
    total: Counter[str] = Counter()

    async def imported() -> None:
        lines = _lines(source, from_)
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            with _progress(len(lines), quiet=in_json) as (progress, task):
                for at in range(0, len(lines), LINES_AT_ONCE):
                    chunk = lines[at : at + LINES_AT_ONCE]
                    total.update(await _kept(answering, chunk, user, dry=dry_run))
                    progress.update(task, advance=len(chunk))

    try:
        run(imported())
    except KeyboardInterrupt:
        say(f"interrupted: {_told(total)}. Start it again: what is here already is passed over.", err=True)
        raise typer.Exit(1) from None
    if in_json:
        as_json({name: total[name] for name in OUTCOMES})
    else:
        say(_told(total))
    if total["refused"]:
        raise typer.Exit(1)


OUTCOMES = ("imported", "known", "refused", "skipped")


def _told(total: Counter[str]) -> str:
    return ", ".join(f"{total[name]} {name}" for name in OUTCOMES)


def _lines(source: Path, name: str | None) -> list[Converted]:
    """All lines of an import in the file. Raises CommandError, ShapeError."""
    from litellm_memory.foreign import FORMATS, converted, format_of
    from litellm_memory.foreign.past import PROGRAMS

    try:
        name = name or format_of(source)
        if name is None or name not in FORMATS:
            told = f"{source} is of no format that is known" if name is None else f"{name} is no format that is known"
            raise CommandError(f"{told}: give --from with one of {', '.join((*FORMATS, *PROGRAMS))}.")
        return list(converted(source, name))
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}.") from None


async def _kept(answering: Sidecar, lines: Sequence[Converted], user: str | None, *, dry: bool) -> Counter[str]:
    """The outcomes of these lines; rejected ones are printed on standard error."""
    unsent = [line for line in lines if line.refusal is not None]
    sent = [line for line in lines if line.refusal is None]
    content = b"".join(line.line for line in sent)
    # Lines wait for those of other imports, and a busy machine embeds a few in a second.
    params = {"user": user, "dry_run": "true" if dry else None}
    answer = await _sent(answering, params=params, content=content, timeout=LONGEST_IMPORT)
    for line in unsent:
        if line.skipped:
            continue
        say(f"{line.where}: {line.refusal}", err=True)
    for error in answer["errors"]:
        say(f"{sent[error['line'] - 1].where}: {error['message']}", err=True)
    mine = Counter("skipped" if line.skipped else "refused" for line in unsent)
    return Counter({name: answer.get(name, 0) for name in OUTCOMES}) + mine


async def _sent(answering: Sidecar, **request: Any) -> Any:
    """The answer to lines. An import of the same partition that runs is waited for: it may be one that broke off."""
    until = time.monotonic() + LONGEST_IMPORT
    while True:
        try:
            return await answering.ask("POST", "/v1/import", **request)
        except BusyError as error:
            if time.monotonic() + error.seconds > until:
                raise
            await asyncio.sleep(error.seconds)


@contextmanager
def _output(to: Path | None) -> Iterator[BinaryIO | Shown]:
    """The output file, private to its user; standard output when none is named. Raises CommandError.

    A file or a pipe gets every byte as it is; a terminal is shown control and format characters as escapes.
    """
    if to is None:
        yield Shown() if sys.stdout.isatty() else sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        to.touch(mode=0o600)
        with to.open("wb") as file:
            yield file
    except OSError as error:
        raise CommandError(f"{to} cannot be written: {error.strerror}.") from None


@contextmanager
def _progress(lines: int, *, quiet: bool) -> Iterator[tuple[Progress, TaskID]]:
    """A progress bar on standard error, so that the output stays clean for scripts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        yield progress, progress.add_task("importing", total=lines)
