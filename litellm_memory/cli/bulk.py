"""One wish for many memories: by ids, or for all that fit some filters, after they were shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from litellm_memory.cli.picking import Grep, ItsProject, Kinds, Since, State, Until
from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.client.memories import Filters, located, picked, said
from litellm_memory.client.sidecar import Row, Sidecar
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import MEMORY_COLUMNS, as_json, memory_rows, owner, say, table, with_owner

AT_ONCE: Final = 500
"""Memories per request: the API's limit."""
SHOWN: Final = 20
"""Memories that are shown before the question."""
DONE: Final[Mapping[str, str]] = {"forget": "forgotten", "tag": "tagged", "untag": "untagged"}


def tag_memories(
    tag: Annotated[str, typer.Argument(help="The tag.", show_default=False)],
    memory_ids: Annotated[list[str] | None, typer.Argument(help="Ids, or use the filters.", show_default=False)] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tag away.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which memories it would be.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    user: User = None,
    project: ItsProject = None,
    kind: Kinds = None,
    with_tag: Annotated[list[str] | None, typer.Option("--tag", help="Has this tag already.")] = None,
    since: Since = None,
    until: Until = None,
    grep: Grep = None,
    state: State = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Tag many memories, or take a tag from them."""
    filters = Filters(project, kind or [], with_tag or [], since, until, grep, state)

    async def tagged() -> dict[str, Any]:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            found = await chosen(answering, memory_ids or [], filters, user)
            action = {"action": "untag" if remove else "tag", "tag": tag}
            return await changed(answering, found, action, dry_run=dry_run, yes=yes, in_json=in_json)

    print_changed(run(tagged()), in_json)


async def chosen(answering: Sidecar, memory_ids: Sequence[str], filters: Filters, user: str | None) -> list[Row]:
    """The memories that are named, or that fit. Raises CommandError when neither or both were given."""
    if bool(memory_ids) == bool(filters):
        raise CommandError("Give either ids or filters, such as --project, --kind, --tag, --since or --grep.")
    if memory_ids:
        found = [await located(answering, one) for one in memory_ids]
        return [await one.ask("GET", f"/v1/memories/{whole}") for one, whole in found]

    async def fitting(one: Sidecar) -> list[Row]:
        return [memory async for memory in picked(one, filters, user)]

    return await answering.gathered(fitting, by=said)


async def changed(
    answering: Sidecar,
    memories: Sequence[Mapping[str, Any]],
    action: Mapping[str, Any],
    *,
    dry_run: bool,
    yes: bool,
    in_json: bool,
) -> dict[str, Any]:
    """What was done to these memories, or would be, once the person who was shown them has agreed."""
    told = {"action": action["action"], "dry_run": dry_run, "data": list(memories), "skipped": []}
    if dry_run or not memories:
        return told
    if not yes:
        _ask(memories, DONE[action["action"]], in_json)
    skipped: list[str] = []
    done = 0
    for partition in dict.fromkeys(memory["partition"] for memory in memories):
        ids = [memory["id"] for memory in memories if memory["partition"] == partition]
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            asked = {**action, "ids": some}
            skipped += (await answering.within(partition).ask("POST", "/v1/bulk", json=asked))["skipped"]
            done += len(some)
            if len(memories) > AT_ONCE:
                say(f"{done} of {len(memories)}", err=True)
    return {**told, "skipped": skipped}


def _ask(memories: Sequence[Mapping[str, Any]], done: str, in_json: bool) -> None:
    if in_json:
        raise CommandError(f"{len(memories)} memories would be {done}: give --yes or --dry-run with --json.")
    for memory in memories[:SHOWN]:
        say(f"  {owner(memory)}{' '.join(memory['text'].split())[:76]}", err=True)
    if len(memories) > SHOWN:
        say(f"  and {len(memories) - SHOWN} more", err=True)
    typer.confirm(f"Shall these {len(memories)} memories be {done}?", abort=True, err=True)


def print_changed(told: Mapping[str, Any], in_json: bool) -> None:
    """Prints what was done; the memories themselves where nothing was done yet."""
    if in_json:
        ids = [memory["id"] for memory in told["data"] if memory["id"] not in told["skipped"]]
        as_json({"action": told["action"], "dry_run": told["dry_run"], "ids": ids, "skipped": told["skipped"]})
        return
    if told["dry_run"]:
        shown = with_owner(MEMORY_COLUMNS, memory_rows(told["data"]), told["data"])
        table(*shown, empty="No memory fits.")
    count = len(told["data"]) - len(told["skipped"])
    say(f"{count} {'would be ' if told['dry_run'] else ''}{DONE[told['action']]}", err=told["dry_run"])
    if told["action"] == "forget" and count and not told["dry_run"]:
        say("For ten minutes `litellm-memory undo ID` brings one back.", err=True)
