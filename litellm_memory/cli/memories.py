"""Memories on the command line: search, add, list, show, edit, forget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from litellm_memory.cli.bulk import changed, chosen, print_changed
from litellm_memory.cli.erase import (
    confirm_user,
    erased,
    erased_person,
    erasure_of,
    midnight,
    print_receipt,
    print_receipts,
)
from litellm_memory.cli.picking import Grep, ItsProject, Kinds, MemoryId, Since, State, Tags, Until
from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Project, Url, User, run, sidecar
from litellm_memory.cli.rollback import Rollback, print_rollback, rolled_back
from litellm_memory.client.completion import ids, users
from litellm_memory.client.memories import Filters, located, picked, said
from litellm_memory.client.sidecar import Row, Sidecar
from litellm_memory.errors import CommandError
from litellm_memory.terminal.dates import moment, rfc3339, span
from litellm_memory.terminal.print import MEMORY_COLUMNS, as_json, fields, memory_rows, table, with_owner

Kind = Annotated[str | None, typer.Option(help="fact, preference, decision, instruction or episode.")]


NONSENSE: Final = 0.15
"""Words that are in no memory, such as "zzz qqq", score up to 0.11 against all of them."""


def search(
    query: Annotated[str, typer.Argument(help="What to search for.", show_default=False)],
    user: User = None,
    project: Project = None,
    kind: Kinds = None,
    tag: Tags = None,
    since: Since = None,
    until: Until = None,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out what has a lower score; 0 shows all.")
    ] = NONSENSE,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Search memories, best first."""

    body = _given(query=query, project=project, limit=limit, kinds=kind, tags=tag)
    body["min_score"] = min_score

    async def searched(one: Sidecar) -> list[Row]:
        users = [user]
        if one.is_one_of_several and user is None:
            users = [row["user"] for row in await one.rows("/v1/namespaces", user=None)]
        rows: list[Row] = []
        for whose in users:
            rows += (await one.ask("POST", "/v1/memories/search", json={**body, **_given(user=whose)}))["results"]
        return [row for row in rows if _was_said(row["memory"], since, until)]

    async def found() -> list[Row]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return await answering.gathered(searched, by=lambda row: row["score"], most=limit)

    results = run(found())
    if in_json:
        as_json(results)
        return
    rows = ((item["score"], *row) for item, row in zip(results, memory_rows(r["memory"] for r in results), strict=True))
    table(*with_owner(("score", *MEMORY_COLUMNS), rows, results), empty=_nothing_found(min_score))


def _was_said(memory: Mapping[str, Any], since: str | None, until: str | None) -> bool:
    said, now = datetime.fromisoformat(memory["created"]), datetime.now().astimezone()
    return (since is None or said >= moment(since, now)) and (until is None or said < moment(until, now))


def _nothing_found(min_score: float) -> str:
    more = f" with a score of {min_score} or more; --min-score 0 shows all" if min_score else ""
    return f"Nothing was found{more}."


def add(
    text: Annotated[str, typer.Argument(help="What to remember.", show_default=False)],
    user: User = None,
    project: Project = None,
    kind: Kind = None,
    tag: Tags = None,
    pin: Annotated[bool, typer.Option("--pin", help="Never let it go for want of room.")] = False,
    ttl: Annotated[str | None, typer.Option(help="Recall it for this long only: 12h, 30d, 2w, 1y.")] = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Add a memory."""
    body = _given(text=text, user=user, project=project, kind=kind, tags=tag, pinned=pin or None)

    async def added() -> dict[str, Any]:
        if ttl is not None:
            body["expires"] = (datetime.now().astimezone() + span(ttl)).isoformat()
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return dict(await answering.ask("POST", "/v1/memories", json=body))

    _print_one(run(added()), in_json)


def list_memories(
    user: Annotated[str | None, typer.Option(help="One user; all users when left out.", autocompletion=users)] = None,
    project: ItsProject = None,
    kind: Kinds = None,
    tag: Tags = None,
    since: Since = None,
    until: Until = None,
    grep: Grep = None,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, help="Most memories; the newest come first.")] = 100,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """List memories, newest first."""
    filters = Filters(project, kind or [], tag or [], since, until, grep, state)

    async def read(one: Sidecar) -> list[Row]:
        if not filters:
            return await one.rows("/v1/memories", user=user, most=limit)
        found: list[Row] = []
        async for memory in picked(one, filters, user):
            found.append(memory)
            if len(found) == limit:
                break
        return found

    async def listed() -> list[Row]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return await answering.gathered(read, by=said, most=limit)

    memories = run(listed())
    if in_json:
        as_json(memories)
    else:
        shown = with_owner(MEMORY_COLUMNS, memory_rows(memories), memories)
        table(*shown, empty=_no_memories(bool(filters), user, partition))


def _no_memories(filtered: bool, user: str | None, partition: str | None) -> str:
    """What a person may do when a list is empty, which may be for a misspelt name."""
    if filtered:
        return "No memory fits: leave out a filter, or see all of them with `litellm-memory list`."
    if user is not None or partition is not None:
        whose = f" of the user {user}" if user is not None else ""
        return f"There are no memories{whose}{f' in the partition {partition}' if partition else ''}: see the spelling."
    return 'There are no memories. Next: litellm-memory add "The office is in Lisbon."'


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
            one, whole = await located(answering, memory_id)
            return dict(await one.ask("GET", f"/v1/memories/{whole}"))

    _print_one(run(read()), in_json)


def edit(
    memory_id: MemoryId,
    text: Annotated[str | None, typer.Option(help="The new text.")] = None,
    kind: Kind = None,
    project: Annotated[str | None, typer.Option(help="The project; an empty one takes it away.")] = None,
    tag: Tags = None,
    pin: Annotated[bool | None, typer.Option("--pin/--unpin")] = None,
    valid_until: Annotated[str | None, typer.Option(help="When it ceases to be true: 2026-12-01, today.")] = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Correct a memory; what is not named stays."""
    changes = _given(text=text, kind=kind, project=project, tags=tag, pinned=pin)
    if changes.get("project") == "":
        changes["project"] = None

    async def corrected() -> dict[str, Any]:
        changes.update(_given(valid_until=rfc3339(valid_until)))
        if not changes:
            raise CommandError("Nothing to change was given: see litellm-memory edit --help.")
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            one, whole = await located(answering, memory_id)
            return dict(await one.ask("PATCH", f"/v1/memories/{whole}", json=changes))

    _print_one(run(corrected()), in_json)


def undo(
    memory_id: MemoryId,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Bring back a memory that a person's wish removed within the last ten minutes."""

    async def undone() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return dict(await answering.ask_first("POST", f"/v1/memories/{memory_id}/undo"))

    _print_one(run(undone()), in_json)


def forget(
    memory_id: Annotated[
        str | None,
        typer.Argument(help="The memory's id, or its first digits.", show_default=False, autocompletion=ids),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Erase all of this user.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Erase all of the person whose keys have this name, in every partition.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Of the user, this session alone.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Erase all users of the partition.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Take what was forgotten out of all files now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether that is meant.")] = False,
    call: Annotated[
        str | None, typer.Option(help="Forget what was learned from this request (x-memory-trace).")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Forget what was learned since then: 3d, yesterday, 2026-11-01.")
    ] = None,
    today: Annotated[bool, typer.Option("--today", help="Forget what was learned since midnight here.")] = False,
    until: Until = None,
    project: ItsProject = None,
    kind: Kinds = None,
    tag: Tags = None,
    grep: Grep = None,
    state: State = None,
    review: Annotated[bool, typer.Option("--review", help="With --call or --since: let it wait for review.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which memories it would be.")] = False,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Forget a memory or what was learned from a request, or erase a user, a session or everybody from every file."""
    since = midnight() if today and since is None else since
    filters = Filters(project, kind or [], tag or [], None, until, grep, state)
    if filters:
        if memory_id is not None or call is not None or everybody or review:
            raise typer.BadParameter("Filters name the memories: give no id, no --call, no --all and no --review.")

        async def taken() -> dict[str, Any]:
            async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
                found = await chosen(answering, [], replace(filters, since=since), user)
                return await changed(answering, found, {"action": "forget"}, dry_run=dry_run, yes=yes, in_json=in_json)

        print_changed(run(taken()), in_json)
        return
    if call is not None or since is not None:
        if memory_id is not None or user is not None or everybody or person is not None:
            raise typer.BadParameter("--call and --since are about a whole partition: give no memory and no user.")
        taking = Rollback(call, since, review=review, dry_run=dry_run)
        print_rollback(run(rolled_back(taking, url=url, key=key, config=config, partition=partition)), in_json)
        return
    if review or dry_run:
        raise typer.BadParameter("--review and --dry-run go with --call, --since or filters.")
    if person is not None:
        if memory_id is not None or user is not None or everybody:
            raise typer.BadParameter("--person is about every partition: give no memory and no user.")
        print_receipts(run(erased_person(person, sidecar(url=url, key=key, config=config), yes=yes)), in_json)
        return
    erasure = erasure_of(memory_id, user=user, session=session, everybody=everybody, now=now)
    if everybody and not yes:
        typer.confirm("Erase the memories of all users of this partition?", abort=True)

    async def forgotten() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            if user is not None and not yes:
                await confirm_user(answering, user, session)
            one, whole = (answering, None) if memory_id is None else await located(answering, memory_id)
            if whole is not None:
                await one.ask("DELETE", f"/v1/memories/{whole}")
            return {"forgotten": whole} if erasure is None else await erased(one, erasure)

    told = run(forgotten())
    if in_json:
        as_json(told)
    else:
        print_receipt(told)


def _print_one(memory: dict[str, Any], in_json: bool) -> None:
    if in_json:
        as_json(memory)
    else:
        fields(memory)


def _given(**values: Any) -> dict[str, Any]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}
