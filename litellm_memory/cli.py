"""``litellm-memory`` on the command line: tables for people, ``--json`` for scripts, exit code 0 or 1."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from litellm_memory import __version__
from litellm_memory.checks import Finding, findings
from litellm_memory.embedding import install_model
from litellm_memory.errors import LiteLLMMemoryError

app = typer.Typer(name="litellm-memory", no_args_is_help=True, help="Long-term memory behind a LiteLLM proxy.")
model = typer.Typer(no_args_is_help=True, help="The embedded embedding model.")
app.add_typer(model, name="model")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SIGNS = {"ok": "ok     ", "warning": "warning", "error": "error  "}


@app.command()
def check(
    config: Annotated[Path, typer.Option(help="LiteLLM's config file.")] = Path("config.yaml"), as_json: AsJson = False
) -> None:
    """Find and explain what is wrong with a set-up. Exit code 1 when memory cannot work."""
    found = asyncio.run(findings(config))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found]))
    else:
        for finding in found:
            typer.echo(_line(finding))
    if any(finding.level == "error" for finding in found):
        raise typer.Exit(1)


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


@app.command()
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
