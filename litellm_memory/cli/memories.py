"""Memories on the command line: search, add, list, show, edit, forget."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litellm_memory.cli.erase import erased, erasure_of
from litellm_memory.cli.print import MEMORY_COLUMNS, as_json, fields, memory_rows, table
from litellm_memory.cli.reach import (
    CONFIG,
    AsJson,
    CommandError,
    Config,
    Key,
    Partition,
    Project,
    Url,
    User,
    run,
    sidecar,
)
from litellm_memory.cli.rollback import Rollback, print_rollback, rolled_back

MemoryId = Annotated[str, typer.Argument(help="The memory's id.", show_default=False)]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be given several times.")]
Kind = Annotated[str | None, typer.Option(help="fact, preference, decision, instruction or episode.")]


def search(
    query: Annotated[str, typer.Argument(help="What to search for.", show_default=False)],
    user: User = None,
    project: Project = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Search memories, best first."""

    async def found() -> list[dict[str, Any]]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            body = _given(query=query, user=user, project=project, limit=limit)
            return list((await answering.ask("POST", "/v1/memories/search", json=body))["results"])

    results = run(found())
    if in_json:
        as_json(results)
        return
    rows = ((item["score"], *row) for item, row in zip(results, memory_rows(r["memory"] for r in results), strict=True))
    table(("score", *MEMORY_COLUMNS), rows, empty="Nothing was found.")


def add(
    text: Annotated[str, typer.Argument(help="What to remember.", show_default=False)],
    user: User = None,
    project: Project = None,
    kind: Kind = None,
    tag: Tags = None,
    pin: Annotated[bool, typer.Option("--pin", help="Never let it go for want of room.")] = False,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Add a memory."""
    body = _given(text=text, user=user, project=project, kind=kind, tags=tag, pinned=pin or None)

    async def added() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return dict(await answering.ask("POST", "/v1/memories", json=body))

    _print_one(run(added()), in_json)


def list_memories(
    user: User = None,
    limit: Annotated[int, typer.Option(min=1, help="Most memories; the newest come first.")] = 100,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """List memories, newest first."""

    async def listed() -> list[dict[str, Any]]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return await answering.rows("/v1/memories", user=user, most=limit)

    memories = run(listed())
    if in_json:
        as_json(memories)
    else:
        table(MEMORY_COLUMNS, memory_rows(memories), empty="There are no memories.")


def show(
    memory_id: MemoryId,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Show all of a memory."""

    async def read() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return dict(await answering.ask("GET", f"/v1/memories/{memory_id}"))

    _print_one(run(read()), in_json)


def edit(
    memory_id: MemoryId,
    text: Annotated[str | None, typer.Option(help="The new text.")] = None,
    kind: Kind = None,
    project: Annotated[str | None, typer.Option(help="The project; an empty one takes it away.")] = None,
    tag: Tags = None,
    pin: Annotated[bool | None, typer.Option("--pin/--unpin")] = None,
    valid_until: Annotated[str | None, typer.Option(help="When it ceases to be true, as RFC 3339.")] = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Correct a memory; what is not named stays."""
    changes = _given(text=text, kind=kind, project=project, tags=tag, pinned=pin, valid_until=valid_until)
    if changes.get("project") == "":
        changes["project"] = None

    async def corrected() -> dict[str, Any]:
        if not changes:
            raise CommandError("Nothing to change was given: see litellm-memory edit --help.")
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return dict(await answering.ask("PATCH", f"/v1/memories/{memory_id}", json=changes))

    _print_one(run(corrected()), in_json)


def forget(
    memory_id: Annotated[str | None, typer.Argument(help="The memory's id.", show_default=False)] = None,
    user: Annotated[str | None, typer.Option(help="Erase all of this user.")] = None,
    session: Annotated[str | None, typer.Option(help="Of the user, this session alone.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Erase all users of the partition.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Take what was forgotten out of all files now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether --all is meant.")] = False,
    call: Annotated[
        str | None, typer.Option(help="Forget what was learned from this request (x-memory-trace).")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Forget what was learned since this time, as RFC 3339.")] = None,
    review: Annotated[bool, typer.Option("--review", help="With --call or --since: let it wait for review.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --call or --since: only tell what it is.")] = False,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Forget a memory or what was learned from a request, or erase a user, a session or everybody from every file."""
    if call is not None or since is not None:
        if memory_id is not None or user is not None or everybody:
            raise typer.BadParameter("--call and --since are about a whole partition: give no memory and no user.")
        taking = Rollback(call, since, review=review, dry_run=dry_run)
        print_rollback(run(rolled_back(taking, url=url, key=key, config=config, partition=partition)), in_json)
        return
    if review or dry_run:
        raise typer.BadParameter("--review and --dry-run go with --call or --since.")
    erasure = erasure_of(memory_id, user=user, session=session, everybody=everybody, now=now)
    if everybody and not yes:
        typer.confirm("Erase the memories of all users of this partition?", abort=True)

    async def forgotten() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            if memory_id is not None:
                await answering.ask("DELETE", f"/v1/memories/{memory_id}")
            return {"forgotten": memory_id} if erasure is None else await erased(answering, erasure)

    told = run(forgotten())
    if in_json:
        as_json(told)
        return
    typer.echo(f"Forgotten: {told['forgotten']}")
    for step in told.get("remaining_steps", ()):
        typer.echo(f"Left to do: {step}")


def _print_one(memory: dict[str, Any], in_json: bool) -> None:
    if in_json:
        as_json(memory)
    else:
        fields(memory)


def _given(**values: Any) -> dict[str, Any]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}
