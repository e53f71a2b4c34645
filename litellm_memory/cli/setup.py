"""Setting up and running, on the command line: init, check, model install, serve, version."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from litellm_memory import __version__
from litellm_memory.checks import Finding, findings
from litellm_memory.cli.providers import config_for, providers_in
from litellm_memory.cli.reach import CONFIG, KEY_VARIABLE, AsJson, CommandError, Config, key_of, opened, run
from litellm_memory.embedding import install_model
from litellm_memory.errors import LiteLLMMemoryError, UnauthorizedError
from litellm_memory.models import Caller
from litellm_memory.rebuild import rebuild_all
from litellm_memory.settings import read_config, read_settings
from litellm_memory.sidecar import create_app
from litellm_memory.sidecar import serve as run_sidecar

model = typer.Typer(no_args_is_help=True, help="The embedded embedding model.")
SIGNS = {"ok": "ok     ", "warning": "warning", "error": "error  "}


def init(
    config: Annotated[Path, typer.Option(help="The file to write.")] = CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a LiteLLM config with memory, for the providers whose keys are in the environment."""
    found = providers_in(os.environ)
    text = config_for(found)
    try:
        with config.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        typer.echo(f"error: {config} is there already: name another with --config, or give --force.", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"error: {config} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(1) from None
    names = [provider.name for provider in found]
    if as_json:
        typer.echo(json.dumps({"config": str(config), "providers": names}))
        return
    typer.echo(f"{config} is written for: {', '.join(names) or 'the demo model, because no provider has a key here'}.")
    if KEY_VARIABLE not in os.environ:
        typer.echo(f"Next:  export {KEY_VARIABLE}=sk-{secrets.token_hex(16)}")
    typer.echo(f"Then:  litellm --config {config}")


def serve(config: Config = CONFIG) -> None:
    """Run the sidecar alone while the proxy does not run; the config's master key is the only key then."""

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
            typer.echo(
                f"The sidecar serves at {settings.sidecar.host}:{settings.sidecar.port}; Ctrl-C ends it.", err=True
            )
            await run_sidecar(create_app(engine, authenticate=authenticate), engine)

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
    for sentence in run(_rebuilt(config)) if rebuild else ():
        typer.echo(sentence, err=True)
    found = asyncio.run(findings(config))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found]))
    else:
        for finding in found:
            typer.echo(_line(finding))
    if any(finding.level == "error" for finding in found):
        raise typer.Exit(1)


async def _rebuilt(config: Path) -> list[str]:
    return await rebuild_all(read_settings(config))


@model.command("install")
def install(
    into: Annotated[Path | None, typer.Option(help="Where to; the user's cache when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the embedding model once; afterwards no network is needed."""
    try:
        directory = install_model(into, report=_silent if as_json else _progress)
    except LiteLLMMemoryError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps({"directory": str(directory)}) if as_json else f"The model is in {directory}.")


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _line(finding: Finding) -> str:
    remedy = f"\n         -> {finding.remedy}" if finding.remedy else ""
    return f"{SIGNS[finding.level]}  {finding.what}{remedy}"


def _progress(step: str, share: float) -> None:
    typer.echo(f"{share:4.0%}  {step}", err=True)


def _silent(step: str, share: float) -> None:
    """Scripts want the result alone."""
