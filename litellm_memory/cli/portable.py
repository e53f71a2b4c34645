"""Export and import on the command line, with progress; an import that breaks off is simply started again."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
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
    Url,
    User,
    refuse,
    run,
    sidecar,
)

LINES_AT_ONCE = 500
"""Lines of one request: each is durable when it is answered, and progress is told in these steps."""


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
    source: Annotated[Path, typer.Argument(help="A file of one JSON object a line.", show_default=False)],
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Keep memories from a file; the same file twice is the same as once. Exit code 1 when a line was refused."""

    async def imported() -> Counter[str]:
        total: Counter[str] = Counter()
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            with _progress(_count_lines(source), quiet=in_json) as (progress, task):
                for first, lines in _chunks(source):
                    answer = await answering.ask("POST", "/v1/import", params={"user": user}, content=b"".join(lines))
                    for error in answer["errors"]:
                        typer.echo(f"line {first + error['line'] - 1}: {error['message']}", err=True)
                    total.update({name: answer[name] for name in ("imported", "known", "refused")})
                    progress.update(task, advance=len(lines))
        return total

    total = run(imported())
    counts = {name: total[name] for name in ("imported", "known", "refused")}
    if in_json:
        as_json(counts)
    else:
        typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    if counts["refused"]:
        raise typer.Exit(1)


def _count_lines(source: Path) -> int:
    try:
        with source.open("rb") as file:
            return sum(1 for _ in file)
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}.") from None


def _chunks(source: Path) -> Iterator[tuple[int, list[bytes]]]:
    """The file's lines, LINES_AT_ONCE at a time, each time with the number of the first."""
    with source.open("rb") as file:
        first = 1
        while lines := list(islice(file, LINES_AT_ONCE)):
            yield first, lines
            first += len(lines)


@contextmanager
def _output(to: Path | None) -> Iterator[BinaryIO]:
    """The file to write, for its owner alone; standard output when there is none. Raises CommandError."""
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
    """A bar on standard error, which scripts do not read."""
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        yield progress, progress.add_task("importing", total=lines)
