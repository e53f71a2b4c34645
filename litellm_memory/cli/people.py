"""People on the command line: whose partitions there are, and one's own switches."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Annotated, Any

import typer

from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.client.sidecar import Sidecar
from litellm_memory.terminal.print import as_json, say, table

COLUMNS = ("partition", "label", "team", "memories", "waiting", "last seen")


class What(StrEnum):
    """What can be paused, or agreed to."""

    recall = "recall"
    learning = "learning"
    shared = "shared"


Paused = Annotated[What, typer.Argument(help="recall, learning, or shared: what your team shares.", show_default=False)]


def partitions(config: Config = CONFIG, url: Url = None, key: Key = None, in_json: AsJson = False) -> None:
    """List the partitions and whose they are, those seen last first; yours alone unless the key is an operator's."""

    async def listed() -> list[dict[str, Any]]:
        async with sidecar(url=url, key=key, config=config) as answering:
            return await answering.rows("/v1/partitions", user=None)

    found = run(listed())
    if in_json:
        as_json(found)
        return
    table(COLUMNS, map(_row, found), empty="There are no partitions: nobody has asked yet.")


def pause(
    what: Paused,
    until: Annotated[str | None, typer.Option(help="When it resumes by itself, as RFC 3339.")] = None,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Recall nothing for you, learn nothing from you, or give you nothing of your team, until you resume it."""
    reached = sidecar(url=url, key=key, config=config, partition=partition)
    _change(what, {"paused": True, "until": until}, user, reached, in_json)


def resume(
    what: Paused,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Recall for you, or learn from you, again."""
    reached = sidecar(url=url, key=key, config=config, partition=partition)
    _change(what, {"paused": False}, user, reached, in_json)


def agree(
    what: Paused,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Say yes to recall, or to learning, where a policy asks you first. It is yours to say, with your own key."""
    reached = sidecar(url=url, key=key, config=config, partition=partition)
    _change(what, {"agreed": True}, user, reached, in_json)


def withdraw(
    what: Paused,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Take back what you agreed to: from the next request on it is off where a policy asks you first."""
    reached = sidecar(url=url, key=key, config=config, partition=partition)
    _change(what, {"agreed": False}, user, reached, in_json)


def _change(
    what: What, change: dict[str, Any], user: str | None, reached: AbstractAsyncContextManager[Sidecar], in_json: bool
) -> None:
    """Changes one of a person's own switches, and prints how they stand."""

    async def changed() -> dict[str, Any]:
        body = {"learn" if what is What.learning else what.value: change}
        async with reached as answering:
            return dict(await answering.ask("PUT", "/v1/me", json=body, params={"user": user}))

    _print(run(changed()), in_json)


async def places_of(answering: Sidecar, person: str) -> list[dict[str, Any]]:
    """Every place where memory of a person is. Raises CommandError for nobody, and for a name of several."""
    return list((await answering.ask("POST", "/v1/people", json={"name": person}))["data"])


def print_places(places: list[dict[str, Any]]) -> None:
    """Prints these places on standard error, a line each."""
    for place in places:
        user = f", user {place['user']}" if place["user"] else ""
        say(f"{place['partition']}  {place['label'] or 'no name'}{user}", err=True)


def _print(found: dict[str, Any], in_json: bool) -> None:
    if in_json:
        as_json(found)
        return
    for name, told in (("recall", found["recall"]), ("learning", found["learn"]), ("shared", found["shared"])):
        say(f"{name:<8}  {told_of(told)}")


def told_of(told: Mapping[str, Any]) -> str:
    """An allowance in words."""
    until = f" until {told['until']}" if told["until"] else ""
    why = "" if told["allowed"] else f" ({told['by']})"
    policy = f"; the policy is {told['policy']}, by {told['policy_from']}" if told["policy"] else ""
    return f"{'on' if told['allowed'] else 'off'}{until}{why}{policy}"


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    seen = (one["last_seen"] or "")[:16].replace("T", " ")
    return one["partition"], one["label"], one["teams"], one["memories"], one["waiting"], seen
