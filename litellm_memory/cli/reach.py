"""How commands reach a sidecar: the running one, or one inside this process.

Only what every command needs is imported here: a list beside a running proxy is to answer at once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from litellm_memory.client.address import KEY_VARIABLE, address_in
from litellm_memory.client.completion import projects, users
from litellm_memory.client.plain_http import PlainClient, UnreachableError
from litellm_memory.client.sidecar import Sidecar
from litellm_memory.errors import CommandError, LiteLLMMemoryError
from litellm_memory.terminal.print import say

T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
"""Timeout of a request: an audit or an erasure takes a while."""
_IN_JSON: ContextVar[bool] = ContextVar("litellm_memory_in_json", default=False)
"""Whether the command was given ``--json``: its errors are JSON then, too."""


def _noted(in_json: bool) -> bool:
    _IN_JSON.set(in_json)
    return in_json


AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, errors too.", callback=_noted)]
Config: TypeAlias = Annotated[Path, typer.Option(help="LiteLLM's config file: where the sidecar or its data are.")]
Url: TypeAlias = Annotated[str | None, typer.Option(help="The sidecar's address; the config's when left out.")]
Key: TypeAlias = Annotated[str | None, typer.Option(help="A LiteLLM key.", envvar=KEY_VARIABLE, show_envvar=True)]
Partition: TypeAlias = Annotated[
    str | None, typer.Option(help="The partition, by its id or its holder's name, or * for all; for the master key.")
]
User: TypeAlias = Annotated[
    str | None, typer.Option(help="The user; the default user when left out.", autocompletion=users)
]
Project: TypeAlias = Annotated[str | None, typer.Option(help="The project.", autocompletion=projects)]

CONFIG = Path("config.yaml")


@asynccontextmanager
async def sidecar(
    *, url: str | None, key: str | None, config: Path, partition: str | None = None
) -> AsyncIterator[Sidecar]:
    """The running sidecar; when none runs at the config's address, one in this process, on the config's data.

    That is safe: the store has one owner process in any case, and who may open its files may read them anyway. Raises
    CommandError, or SettingsError for an unusable config.
    """
    there = _is_there(config)
    if url is None and config != CONFIG and not there:
        raise CommandError(f"{config} cannot be read: there is no such file.")
    address = url or address_in(config) or await _address_by_settings(config)
    http = PlainClient(address, {"authorization": f"Bearer {key}"} if key else {}, timeout=TIMEOUT_SECONDS)
    if await _answers(http):
        yield Sidecar(http, partition)
        return
    if url is not None or not there:
        raise CommandError(
            f"No sidecar answers at {address}: start the proxy, give its address with --url, "
            "or name the config of a stopped one with --config."
        )
    from litellm_memory.cli.inside import client_inside, opened
    from litellm_memory.settings import read_settings

    settings = await asyncio.to_thread(read_settings, config)
    async with opened(settings, config) as engine, client_inside(engine) as inside:
        yield Sidecar(inside, partition)


def _is_there(config: Path) -> bool:
    return config.exists()


async def _address_by_settings(config: Path) -> str:
    from litellm_memory.settings import read_settings

    return (await asyncio.to_thread(read_settings, config)).sidecar.address


async def _answers(http: PlainClient) -> bool:
    try:
        await http.request("GET", "/health")
    except UnreachableError:
        return False
    return True


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; an error that a person can act on is printed and ends the command with exit code 1."""
    try:
        return asyncio.run(work)
    except LiteLLMMemoryError as error:
        say(json.dumps({"error": {"message": str(error)}}) if _IN_JSON.get() else f"error: {error}", err=True)
        raise typer.Exit(1) from None


def key_of(config: Mapping[str, Any]) -> str | None:
    """The master key that a LiteLLM config names, or that the environment holds; None for a blank one."""
    general = config.get("general_settings")
    named = general.get("master_key") if isinstance(general, Mapping) else None
    if isinstance(named, str) and named.startswith("os.environ/"):
        named = os.environ.get(named.removeprefix("os.environ/"))
    given = (named, os.environ.get(KEY_VARIABLE))
    # A blank key would equal what a request without any key carries.
    return next((key for key in given if isinstance(key, str) and key.strip()), None)
