"""Setting up and running, on the command line: init, check, model install, serve, version.

What takes long to import is imported by the command that needs it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from litellm_memory import __version__
from litellm_memory.cli.reach import CONFIG, AsJson, Config, key_of, run
from litellm_memory.client.address import KEY_VARIABLE
from litellm_memory.errors import CommandError, LiteLLMMemoryError, UnauthorizedError
from litellm_memory.setup.finding import Finding
from litellm_memory.setup.providers import config_for, providers_in
from litellm_memory.terminal.print import say

model = typer.Typer(no_args_is_help=True, help="The embedded embedding model.")
SIGNS = {"ok": "ok     ", "warning": "warning", "error": "error  "}


def init(
    config: Annotated[Path, typer.Option(help="The file to write.")] = CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a file that is there is changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a LiteLLM config with memory, or add the line to the one that is there, after showing what changes."""
    if config.exists() and not force:
        _join(config, yes=yes, as_json=as_json)
        return
    found = providers_in(os.environ)
    _write(config, config_for(found))
    names = [provider.name for provider in found]
    if as_json:
        say(json.dumps({"config": str(config), "providers": names}))
        return
    say(f"{config} is written for: {', '.join(names) or 'the demo model, because no provider has a key here'}.")
    _say_what_is_next(config)


def _join(config: Path, *, yes: bool, as_json: bool) -> None:
    """Adds memory's line to an existing config."""
    from litellm_memory.setup.joining import difference, joined

    try:
        before = config.read_text(encoding="utf-8")
        after = joined(before)
    except (OSError, UnicodeDecodeError, CommandError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        say(f"error: {config} stays as it is: {reason}", err=True)
        raise typer.Exit(1) from None
    changed = difference(before, after, config.name)
    if changed:
        say(changed, err=as_json)
        if not yes:
            typer.confirm(f"Change {config} so?", abort=True, err=True)
        _write(config, after)
    if as_json:
        say(json.dumps({"config": str(config), "changed": bool(changed)}))
        return
    say(f"{config} has memory's line." if changed else f"{config} has memory's line already; nothing to do.")
    _say_what_is_next(config)


def _write(config: Path, text: str) -> None:
    """Writes the whole file or nothing."""
    try:
        written = config.with_name(f".{config.name}.new")
        written.write_text(text, encoding="utf-8")
        if config.exists():
            shutil.copymode(config, written)
        written.replace(config)
    except OSError as error:
        say(f"error: {config} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(1) from None


def _say_what_is_next(config: Path) -> None:
    if KEY_VARIABLE not in os.environ:
        say(f"Next:  export {KEY_VARIABLE}=sk-{secrets.token_hex(16)}")
    say(f"Then:  litellm --config {config}")


def serve(config: Config = CONFIG) -> None:
    """Run the sidecar alone while the proxy does not run; the config's master key is the only key then."""
    from litellm_memory.cli.inside import opened
    from litellm_memory.models import Caller
    from litellm_memory.page import with_page
    from litellm_memory.settings import read_config, read_settings
    from litellm_memory.sidecar import create_app
    from litellm_memory.sidecar import serve as run_sidecar

    async def served() -> None:
        settings = read_settings(config)
        key = key_of(read_config(config))
        if key is None:
            raise CommandError(f"There is no master key: set {KEY_VARIABLE}.")

        async def authenticate(headers: Mapping[str, str]) -> Caller:
            given = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
            if not hmac.compare_digest(given.encode(), key.encode()):
                raise UnauthorizedError("This is not the config's master key.")
            return Caller(master=True)

        async with opened(settings, config) as engine:
            say(f"The sidecar serves at {settings.sidecar.host}:{settings.sidecar.port}; Ctrl-C ends it.", err=True)
            await run_sidecar(with_page(create_app(engine, authenticate=authenticate)), engine)

    with suppress(KeyboardInterrupt):
        run(served())


def check(
    config: Config = CONFIG,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First make store and ledger anew from what can be read; stop the proxy.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find and explain what is wrong with a set-up. Exit code 1 when memory cannot work."""
    from litellm_memory.cli.models import models_for
    from litellm_memory.setup.checks import findings

    for sentence in run(_rebuilt(config)) if rebuild else ():
        say(sentence, err=True)
    found = asyncio.run(findings(config, models_for))
    if as_json:
        say(json.dumps([asdict(finding) for finding in found]))
    else:
        for finding in found:
            say(_line(finding))
    if any(finding.level == "error" for finding in found):
        raise typer.Exit(1)


async def _rebuilt(config: Path) -> list[str]:
    from litellm_memory.settings import read_settings
    from litellm_memory.setup.rebuild import rebuild_all

    return await rebuild_all(read_settings(config))


@model.command("install")
def install(
    into: Annotated[Path | None, typer.Option(help="Where to; the user's cache when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the embedding model once; afterwards no network is needed."""
    from litellm_memory.embedding import install_model

    try:
        directory = install_model(into, report=_silent if as_json else _progress)
    except LiteLLMMemoryError as error:
        say(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    say(json.dumps({"directory": str(directory)}) if as_json else f"The model is in {directory}.")


def version() -> None:
    """Print the version."""
    say(__version__)


def _line(finding: Finding) -> str:
    remedy = f"\n         -> {finding.remedy}" if finding.remedy else ""
    return f"{SIGNS[finding.level]}  {finding.what}{remedy}"


def _progress(step: str, share: float) -> None:
    say(f"{share:4.0%}  {step}", err=True)


def _silent(step: str, share: float) -> None:
    """Scripts want only the result."""
