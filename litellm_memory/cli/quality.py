"""The quality of what is kept, on the command line: review, and the audit's questions and answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litellm_memory.cli.reach import CONFIG, AsJson, Config, Key, Partition, Url, User, run, sidecar
from litellm_memory.cli.secrets import audited_secrets, print_secrets
from litellm_memory.client.memories import located, said
from litellm_memory.client.sidecar import Row, Sidecar
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import as_json, fields, say, table, with_owner


def review(
    memory_id: Annotated[str | None, typer.Argument(help="What waits; all of it is listed when left out.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Recall it from now on.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Forget it.")] = False,
    text: Annotated[str | None, typer.Option(help="Accept it in these words.")] = None,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """List what waits for its owner's word, and why; with an id, accept, edit or reject it."""

    async def waiting(one: Sidecar) -> list[Row]:
        return await one.rows("/v1/review", user=user)

    async def decided() -> Any:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            if memory_id is None:
                return await answering.gathered(waiting, by=said)
            one, whole = await located(answering, memory_id)
            return await one.ask("POST", f"/v1/review/{whole}", json=_word(accept, reject, text))

    found = run(decided())
    if in_json:
        as_json({"rejected": memory_id} if found is None else found)
    elif memory_id is None:
        rows = ((row["id"], row["user"], row["kind"], row["reason"], row["text"]) for row in found)
        shown = with_owner(("id", "user", "kind", "why it waits", "text"), rows, found)
        table(*shown, empty="Nothing waits for review.")
    elif found is None:
        say(f"Rejected: {memory_id}")
    else:
        fields(found)


def _word(accept: bool, reject: bool, text: str | None) -> dict[str, str]:
    """The owner's decision for the API. Raises CommandError unless exactly one was given."""
    if accept + reject + (text is not None) != 1:
        raise CommandError("Give one of --accept, --reject and --text.")
    if text is not None:
        return {"action": "edit", "text": text}
    return {"action": "accept" if accept else "reject"}


def audit_memories(
    secrets: Annotated[bool, typer.Option("--secrets", help="Look for secrets in all that is kept.")] = False,
    fix: Annotated[
        list[str] | None,
        typer.Option(help="Mend a problem that audit names; several times. `secret` redacts in all that is kept."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before something is forgotten.")] = False,
    user: User = None,
    config: Config = CONFIG,
    url: Url = None,
    key: Key = None,
    partition: Partition = None,
    in_json: AsJson = False,
) -> None:
    """Show how much of what is kept is junk and how to fix it; --fix fixes the problems that it names."""
    # It reads what is kept by the rules of learning, which take half a second to import.
    from litellm_memory.cli.auditing import audited, print_audit, unknown_fix

    mended = set(fix or ())
    if (unknown := unknown_fix(mended)) is not None:
        raise typer.BadParameter(unknown, param_hint="--fix")
    if secrets or "secret" in mended:
        reached = sidecar(url=url, key=key, config=config, partition=partition)
        print_secrets(run(audited_secrets(reached, fix="secret" in mended, yes=yes, in_json=in_json)), in_json)
        if secrets or mended == {"secret"}:
            return

    async def mend() -> Any:
        async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
            return await audited(answering, user, mended, yes=yes, in_json=in_json)

    found, done = run(mend())
    print_audit(found, done, in_json)
