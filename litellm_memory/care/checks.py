"""The checks of ``litellm-memory check``: each finding says what was found and, if it is a problem, the remedy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import httpx

from litellm_memory.embedding import Embedders, EmbeddingModels, LocalModel, find_model
from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.ledger import Ledger, LedgerError, is_damaged
from litellm_memory.settings import Settings, SidecarSettings, load_settings, read_config, user_headers
from litellm_memory.store import Store, open_known_store, verify

OLDEST_LITELLM, NEWEST_LITELLM = "1.106.2", "1.108.7"
"""The versions of LiteLLM that this release was tested with: the floor in pyproject.toml, and the lock."""
HANDLER = "litellm_memory.handler"
REBUILD = "Restore a backup, or stop the proxy and run `litellm-memory check --rebuild`."

SIDECAR_SECONDS = 5.0
"""Timeout of asking whether a sidecar runs already."""

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; ``remedy`` is empty when all is well."""

    level: Level
    what: str
    remedy: str = ""


async def findings(
    config: Path, models_for: Callable[[Settings, Mapping[str, Any]], EmbeddingModels | None]
) -> list[Finding]:
    """All findings for a LiteLLM config file, most important first.

    ``models_for`` gives the models in that config which the settings need; None when they need none.
    """
    try:
        parsed, settings = await asyncio.to_thread(_read, config)
    except LiteLLMMemoryError as error:
        remedy = "Correct the config, or name another with --config; docs/configuration.md lists every key."
        return [_litellm(), Finding("error", str(error), remedy)]
    embedders = Embedders(settings, await asyncio.to_thread(models_for, settings, parsed))
    model = _model(settings) if settings.embedding.model == "local" else [await _called_model(embedders)]
    found = [_litellm(), _callback(parsed), *_user_headers(parsed), *model, _data_dir(settings.data_dir)]
    if found[-1].level != "error":
        found += [_ledger(settings), *await _store(settings, embedders)]
    embedders.close()
    return [*found, await _sidecar(settings.sidecar)]


def _read(config: Path) -> tuple[Mapping[str, Any], Settings]:
    parsed = read_config(config)
    return parsed, load_settings(parsed, directory=config.resolve().parent)


def _litellm() -> Finding:
    try:
        installed = version("litellm")
    except PackageNotFoundError:
        return Finding("error", "LiteLLM is not installed.", "pip install 'litellm[proxy]'")
    if _number(installed) < _number(OLDEST_LITELLM):
        return Finding(
            "error", f"LiteLLM {installed} is too old.", f"pip install -U 'litellm[proxy]>={OLDEST_LITELLM}'"
        )
    if _number(installed) > _number(NEWEST_LITELLM):
        return Finding("warning", f"LiteLLM {installed} is newer than the tested {NEWEST_LITELLM}.", "Watch /ready.")
    return Finding("ok", f"LiteLLM {installed}")


def _callback(config: Any) -> Finding:
    section = config.get("litellm_settings") or {}
    callbacks = section.get("callbacks") if isinstance(section, dict) else None
    if isinstance(callbacks, list) and HANDLER in callbacks:
        return Finding("ok", f"callbacks names {HANDLER}")
    remedy = f'Under litellm_settings put: callbacks: ["{HANDLER}"]'
    if callbacks == HANDLER:
        # A bare string replaces LiteLLM's own callbacks; a list is added to them.
        return Finding("warning", "callbacks is a bare string, which replaces LiteLLM's own callbacks.", remedy)
    deeper = [name for name in callbacks or () if str(name).startswith("litellm_memory.")]
    if deeper:
        return Finding("error", f"callbacks names {deeper[0]}, which loads the package a second time.", remedy)
    return Finding("error", f"callbacks does not name {HANDLER}, so LiteLLM runs without memory.", remedy)


def _user_headers(config: Mapping[str, Any]) -> Iterator[Finding]:
    """A warning where LiteLLM takes users from headers, which any client can write."""
    names = sorted(user_headers(config.get("general_settings")))
    if names:
        what = f"general_settings lets clients name a user by {', '.join(names)}: memory takes that for an end user."
        yield Finding(
            "warning", what, "Only keys in identity.delegating_keys get memory with it; list the front end's."
        )


def _data_dir(path: Path) -> Finding:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return Finding("error", f"data_dir {path} cannot be made: {error.strerror}.", "Name a writable data_dir.")
    if not os.access(path, os.W_OK | os.X_OK):
        return Finding("error", f"data_dir {path} is not writable.", "Give this user the directory, or name another.")
    return Finding("ok", f"data_dir {path}")


def _model(settings: Settings) -> Iterator[Finding]:
    remedy = "litellm-memory model install"
    directory = find_model(settings.embedding.model_dir)
    if directory is None:
        yield Finding("warning", "There is no embedding model: words alone are searched.", remedy)
        return
    try:
        LocalModel.open(directory).close()
    except LiteLLMMemoryError as error:
        yield Finding("warning", f"Words alone are searched. {error}", remedy)
    else:
        yield Finding("ok", f"embedding model {LocalModel.identity} in {directory}")


async def _called_model(embedders: Embedders) -> Finding:
    """Calls the embedding model, as recall would."""
    try:
        dimension = await embedders.dimension()
        return Finding("ok", f"embedding model {embedders.identity} answers with {dimension} dimensions")
    except LiteLLMMemoryError as error:
        remedy = "Correct embedding.model, its key or its address; docs/embedding.md"
        return Finding("warning", f"Words alone are searched. {error}", remedy)


def _ledger(settings: Settings) -> Finding:
    try:
        Ledger.open(settings.ledger_url).close()
    except LiteLLMMemoryError as error:
        return Finding("error", str(error), "Correct ledger.url, or free the disk that holds data_dir.")
    if settings.ledger.url is None and is_damaged(settings.data_dir / "ledger.db"):
        return Finding("error", "The ledger is damaged.", REBUILD)
    return Finding("ok", "the ledger opens")


async def _store(settings: Settings, embedders: Embedders) -> list[Finding]:
    try:
        store = await open_known_store(settings.store, settings.data_dir)
        if store is None:
            return [Finding("ok", "there is no store yet: the first start of the proxy makes one")]
    except LiteLLMMemoryError as error:
        return [Finding("error", str(error), "docs/troubleshooting.md")]
    try:
        await verify(store)
        await _belongs(settings, store)
        moving = await store.copies()
    except LiteLLMMemoryError as error:
        return [Finding("error", str(error), "docs/troubleshooting.md")]
    finally:
        await store.aclose()
    found = [Finding("ok", f"the store opens ({settings.store.mode})")]
    if moving:
        what = f"A move of the memories between {store.embedder} and {moving[0].embedder} is under way, or broke off."
        found.append(Finding("warning", what, "litellm-memory reembed goes on with it"))
    elif embedders.differs(store.embedder):
        problem = await asyncio.to_thread(embedders.problem, store.embedder)
        found.append(Finding("warning", problem or "", "litellm-memory reembed"))
    return found


async def _sidecar(place: SidecarSettings) -> Finding:
    """Whether the sidecar's port is free, or served by a sidecar already."""
    if not place.enabled:
        return Finding("ok", "the sidecar is switched off")
    address = place.address
    try:
        async with httpx.AsyncClient(timeout=SIDECAR_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{address}/health")
    except httpx.ConnectError:
        return Finding("ok", f"nothing serves at {address} yet: the proxy's start does")
    except httpx.HTTPError:
        answer = None
    if answer is not None and _is_sidecar(answer):
        return Finding("ok", f"the sidecar answers at {address}")
    remedy = "Name another sidecar.port, or end that program."
    return Finding("warning", f"Another program listens at {address}, so the sidecar cannot.", remedy)


def _is_sidecar(answer: httpx.Response) -> bool:
    try:
        return "version" in answer.json()
    except (ValueError, TypeError):
        return False


async def _belongs(settings: Settings, store: Store) -> None:
    """Raises StoreError when the ledger belongs to another store; a ledger that does not open belongs to none."""
    if settings.store.mode != "embedded":
        return
    with suppress(LedgerError):
        ledger = await asyncio.to_thread(Ledger.open, settings.ledger_url)
        try:
            await ledger.facts.expect_store(store.id)
        finally:
            await ledger.aclose()


def _number(text: str) -> tuple[int, ...]:
    """A version as numbers, up to the first part that is not one."""
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
