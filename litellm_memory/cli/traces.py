"""Why was it recalled, and why not? Preview and traces on the command line."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.cli.routing import Headers, headers_in
from litellm_memory.client.memories import whole_id
from litellm_memory.client.sidecar import PAGE, Row, Sidecar
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import as_json, fields, say, table, with_owner

NOT_IN_FIELDS: Final = ("why", "candidates", "learned", "blocks")


def preview(
    said: Annotated[str | None, typer.Argument(help="What a person would say.", show_default=False)] = None,
    body: Annotated[Path | None, typer.Option(help="A file with a whole request body, in place of words.")] = None,
    path: Annotated[str, typer.Option(help="The path that it would be sent to.")] = "/v1/chat/completions",
    header: Headers = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    in_json: AsJson = False,
) -> None:
    """Tell what a request would be given, and why; nothing is kept and no model is called."""

    async def previewed() -> dict[str, Any]:
        asked = {"path": path, "headers": headers_in(header or []), "body": _body(said, body)}
        async with sidecar(url=url, key=key, config=config) as answering:
            return dict(await answering.ask("POST", "/v1/preview", json=asked))

    found = run(previewed())
    if in_json:
        as_json(found)
        return
    fields({name: found[name] for name in ("status", "reason", "kind", "count", "tokens")})
    if found["block"]:
        say(f"\n{found['block']}\n")
    if found["trace"]:
        for sentence in found["trace"]["why"]:
            say(sentence)
        _print_candidates(found["trace"])


def trace(
    trace_id: Annotated[
        str | None, typer.Argument(help="What x-memory-trace said; the newest ones when left out.")
    ] = None,
    memory: Annotated[str | None, typer.Option(help="Tell only why this memory was recalled, or was not.")] = None,
    user: User = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most traces of the list.")] = 20,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Tell why a request was given what it was given; without an id, list the newest requests."""

    async def newest(one: Sidecar) -> list[Row]:
        return list((await one.ask("GET", "/v1/traces", params={"user": user, "limit": limit}))["data"])

    async def read() -> Any:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            if trace_id is not None:
                about = await whole_id(answering, memory) if memory else None
                whole = await _whole_trace(answering, trace_id)
                return await answering.ask_first("GET", f"/v1/traces/{whole}", params={"memory": about})
            return await answering.gathered(newest, by=_asked, most=limit)

    found = run(read())
    if in_json:
        as_json(found)
    elif trace_id is not None and memory is not None:
        say(found["asked"]["because"])
    elif trace_id is not None:
        for sentence in found["why"]:
            say(sentence)
        say("")
        fields({name: value for name, value in found.items() if name not in NOT_IN_FIELDS})
        _print_blocks(found)
        _print_candidates(found)
        _print_learned(found)
    else:
        columns = ("id", "at", "user", "client", "kind", "status", "reason", "count", "tokens")
        table(
            *with_owner(columns, ([row[name] for name in columns] for row in found), found),
            empty="There are no traces yet: one is kept for each request to the proxy.",
        )


async def _whole_trace(answering: Sidecar, given: str) -> str:
    """The id that ``given`` is, or that it alone begins among the newest traces. Raises CommandError."""
    if not re.fullmatch(r"[0-9a-f]{4,31}", given):
        return given

    async def beginning(one: Sidecar) -> list[Row]:
        newest = (await one.ask("GET", "/v1/traces", params={"limit": PAGE}))["data"]
        return [row for row in newest if row["id"].startswith(given)]

    fitting = [str(row["id"]) for row in await answering.gathered(beginning, by=_asked)]
    if len(fitting) > 1:
        raise CommandError(f"{given} begins several ids: give more digits.")
    return fitting[0] if fitting else given


def _asked(trace: Row) -> datetime:
    return datetime.fromisoformat(trace["at"])


def _print_blocks(trace: Row) -> None:
    for block in trace["blocks"]:
        which = "first given here" if block["first_given"] else "given earlier"
        parts = (f"Block of {block['count']}, {which}:", block["text"], block["note"])
        say("\n" + "\n".join(part for part in parts if part))


def _print_candidates(trace: dict[str, Any]) -> None:
    say("")
    rows = (
        [item["score"], item["memory"], item["text"] or "(forgotten)", item["because"]] for item in trace["candidates"]
    )
    table(("score", "id", "text", "why"), rows, empty="No memory was looked at.")


def _print_learned(trace: dict[str, Any]) -> None:
    say("")
    columns = ("what", "reason", "memory", "kind", "text")
    rows = ([item[name] for name in columns] for item in trace["learned"])
    table(("learned", "why", "id", "kind", "text"), rows, empty="Nothing was learned from it yet.")


def _body(said: str | None, body: Path | None) -> dict[str, Any]:
    """The body to preview. Raises CommandError when there is none or it cannot be read."""
    if (said is None) == (body is None):
        raise CommandError("Give either what a person would say or a file with --body.")
    if body is None:
        return {"messages": [{"role": "user", "content": said}]}
    try:
        read = json.loads(body.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise CommandError(f"{body} cannot be read as JSON.") from None
    if not isinstance(read, dict):
        raise CommandError(f"{body} holds no JSON object.")
    return read
