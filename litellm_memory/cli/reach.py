"""How commands reach a sidecar: the running one, or one inside this process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import httpx
import typer

from litellm_memory.cli.models import models_for
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.models import Caller
from litellm_memory.settings import Settings, read_config, read_settings
from litellm_memory.sidecar import create_app

T = TypeVar("T")

KEY_VARIABLE = "LITELLM_MASTER_KEY"
TIMEOUT_SECONDS = 60.0
"""Timeout of a request: an audit or an erasure takes a while."""
PAGE = 1000
"""Rows of a list per request: the API's limit."""

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Config: TypeAlias = Annotated[Path, typer.Option(help="LiteLLM's config file: where the sidecar or its data are.")]
Url: TypeAlias = Annotated[str | None, typer.Option(help="The sidecar's address; the config's when left out.")]
Key: TypeAlias = Annotated[str | None, typer.Option(help="A LiteLLM key.", envvar=KEY_VARIABLE, show_envvar=True)]
Partition: TypeAlias = Annotated[str | None, typer.Option(help="The partition to act in; for the master key.")]
User: TypeAlias = Annotated[str | None, typer.Option(help="The user; the default user when left out.")]
Project: TypeAlias = Annotated[str | None, typer.Option(help="The project.")]

CONFIG = Path("config.yaml")


class CommandError(LiteLLMMemoryError):
    """A command cannot do what it was asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A sidecar, used in one partition."""

    http: httpx.AsyncClient
    partition: str | None = None

    async def ask(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer, or None when it has none. Raises CommandError with the answer's message."""
        given = {"partition": self.partition, **(request.pop("params", None) or {})}
        params = {name: value for name, value in given.items() if value is not None}
        try:
            answer = await self.http.request(method, path, params=params, **request)
        except httpx.HTTPError as error:
            raise CommandError(f"The sidecar does not answer ({type(error).__name__}).") from None
        refuse(answer)
        return answer.json() if answer.content else None

    async def rows(self, path: str, *, user: str | None, most: int = sys.maxsize) -> list[dict[str, Any]]:
        """The first ``most`` rows of a list, page by page. Raises CommandError."""
        rows: list[dict[str, Any]] = []
        cursor = None
        while True:
            params = {"user": user, "limit": min(PAGE, most - len(rows)), "cursor": cursor}
            page = await self.ask("GET", path, params=params)
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None or len(rows) >= most:
                return rows


def refuse(answer: httpx.Response) -> None:
    """Raises CommandError, with the message that is made for people, for an error response."""
    if answer.is_success:
        return
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"The sidecar answered {answer.status_code}: is there another program at this address?"
    if answer.status_code == 401:
        message += f" Give a LiteLLM key with --key or in {KEY_VARIABLE}."
    raise CommandError(message)


@asynccontextmanager
async def sidecar(
    *, url: str | None, key: str | None, config: Path, partition: str | None = None
) -> AsyncIterator[Sidecar]:
    """The running sidecar; when none runs at the config's address, one in this process, on the config's data.

    That is safe: the store has one owner process in any case, and who may open its files may read them anyway. Raises
    CommandError, or SettingsError for an unusable config.
    """
    settings = await asyncio.to_thread(_settings, config)
    address = url or (settings or Settings()).sidecar.address
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        if await _answers(http):
            yield Sidecar(http, partition)
            return
    if url is not None or settings is None:
        raise CommandError(
            f"No sidecar answers at {address}: start the proxy, give its address with --url, "
            "or name the config of a stopped one with --config."
        )
    async with opened(settings, config) as engine, client_inside(engine) as http:
        yield Sidecar(http, partition)


@asynccontextmanager
async def opened(settings: Settings, config: Path) -> AsyncIterator[Engine]:
    """An engine that reads and writes memories, but does not learn; ``config`` is the file with its models.

    Raises LiteLLMMemoryError.
    """
    # LiteLLM's import takes seconds.
    from litellm_memory.llm import count_tokens

    models = models_for(settings, await asyncio.to_thread(read_config, config))
    engine = Engine(settings, count=count_tokens, models=models)
    try:
        await engine.open_data()
        yield engine
    finally:
        await engine.aclose()


def client_inside(engine: Engine) -> httpx.AsyncClient:
    """A client of a sidecar in this process, with the rights of the master key."""

    async def everybody(headers: Mapping[str, str]) -> Caller:
        return Caller(master=True)

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(engine, authenticate=everybody)),
        base_url="http://localhost",
        headers={"authorization": "Bearer local"},
        timeout=None,
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; an error that a person can act on is printed and ends the command with exit code 1."""
    try:
        return asyncio.run(work)
    except LiteLLMMemoryError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def _settings(config: Path) -> Settings | None:
    return read_settings(config) if config.exists() else None


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        await http.get("/health")
    except httpx.ConnectError:
        return False
    except httpx.HTTPError as error:
        raise CommandError(f"The sidecar does not answer ({type(error).__name__}).") from None
    return True


def key_of(config: Mapping[str, Any]) -> str | None:
    """The master key that a LiteLLM config names, or that the environment holds; None for a blank one."""
    general = config.get("general_settings")
    named = general.get("master_key") if isinstance(general, Mapping) else None
    if isinstance(named, str) and named.startswith("os.environ/"):
        named = os.environ.get(named.removeprefix("os.environ/"))
    given = (named, os.environ.get(KEY_VARIABLE))
    # A blank key would equal what a request without any key carries.
    return next((key for key in given if isinstance(key, str) and key.strip()), None)
