"""Export and import on the command line, with progress; an interrupted import is simply run again."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from litellm_memory.cli.print import as_json
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
    refuse,
    run,
    sidecar,
)
from litellm_memory.foreign import FORMATS, Converted, converted, format_of

LINES_AT_ONCE = 500
"""Lines per request: each is durable when the request is answered; progress is shown in these steps."""


def export(
    to: Annotated[Path | None, typer.Option("--to", help="A file; standard output when left out.")] = None,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
) -> None:
    """Write all memories, one JSON object a line. Without --user those of all users."""

    async def exported() -> None:
        params = {name: value for name, value in (("user", user), ("partition", partition)) if value}
        async with sidecar(url=url, key=key, config=config) as answering:
            try:
                async with answering.http.stream("GET", "/v1/export", params=params) as answer:
                    if not answer.is_success:
                        await answer.aread()
                    refuse(answer)
                    with _output(to) as output:
                        async for chunk in answer.aiter_bytes():
                            output.write(chunk)
            except httpx.HTTPError as error:
                raise CommandError(f"The export broke off ({type(error).__name__}): start it again.") from None

    run(exported())


def import_memories(
    source: Annotated[Path, typer.Argument(help="A file that this or another product exported.", show_default=False)],
    from_: Annotated[
        str | None, typer.Option("--from", help=f"What wrote it: {', '.join(FORMATS)}; guessed when left out.")
    ] = None,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Keep memories from a file; the same file twice is the same as once. Exit code 1 when a line was refused."""
    total: Counter[str] = Counter()

    async def imported() -> None:
        lines = _lines(source, from_)
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            with _progress(len(lines), quiet=in_json) as (progress, task):
                for at in range(0, len(lines), LINES_AT_ONCE):
                    chunk = lines[at : at + LINES_AT_ONCE]
                    total.update(await _kept(answering, chunk, user))
                    progress.update(task, advance=len(chunk))

    try:
        run(imported())
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {_told(total)}. Start it again: what is here already is passed over.", err=True)
        raise typer.Exit(1) from None
    if in_json:
        as_json({name: total[name] for name in OUTCOMES})
    else:
        typer.echo(_told(total))
    if total["refused"]:
        raise typer.Exit(1)


OUTCOMES = ("imported", "known", "refused")


def _told(total: Counter[str]) -> str:
    return ", ".join(f"{total[name]} {name}" for name in OUTCOMES)


def _lines(source: Path, name: str | None) -> list[Converted]:
    """All lines of an import in the file. Raises CommandError, ShapeError."""
    try:
        name = name or format_of(source)
        if name is None or name not in FORMATS:
            told = f"{source} is of no format that is known" if name is None else f"{name} is no format that is known"
            raise CommandError(f"{told}: give --from with one of {', '.join(FORMATS)}.")
        return list(converted(source, name))
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}.") from None


async def _kept(answering: Sidecar, lines: Sequence[Converted], user: str | None) -> Counter[str]:
    """The outcomes of these lines; rejected ones are printed on standard error."""
    refused = [line for line in lines if line.refusal is not None]
    sent = [line for line in lines if line.refusal is None]
    content = b"".join(line.line for line in sent)
    answer = await answering.ask("POST", "/v1/import", params={"user": user}, content=content)
    for line in refused:
        typer.echo(f"{line.where}: {line.refusal}", err=True)
    for error in answer["errors"]:
        typer.echo(f"{sent[error['line'] - 1].where}: {error['message']}", err=True)
    return Counter({name: answer[name] for name in OUTCOMES}) + Counter(refused=len(refused))


@contextmanager
def _output(to: Path | None) -> Iterator[BinaryIO]:
    """The output file, private to its user; standard output when none is named. Raises CommandError."""
    if to is None:
        yield sys.stdout.buffer
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
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        yield progress, progress.add_task("importing", total=lines)
