"""The checks of ``litellm-memory check``: each finding says what was found and, if it is a problem, the remedy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import httpx

from litellm_memory.embedding import Embedders, EmbeddingModels, LocalModel, find_model
from litellm_memory.errors import LiteLLMMemoryError, StoreError
from litellm_memory.files.integrity import DATABASE
from litellm_memory.ledger import OTHER_STORE, LedgerError, is_damaged, schema_and_store
from litellm_memory.settings import Settings, SidecarSettings, keys_named_twice, load_settings, read_config
from litellm_memory.setup.config import about_config
from litellm_memory.setup.finding import Finding
from litellm_memory.setup.places import about_data_dir
from litellm_memory.store import Store, open_known_store, verify

OLDEST_LITELLM, NEWEST_LITELLM = "1.106.2", "1.108.7"
"""The versions of LiteLLM that this release was tested with: the floor in pyproject.toml, and the lock."""
REBUILD = "Restore a backup, or stop the proxy and run `litellm-memory check --rebuild`."

SIDECAR_SECONDS = 5.0
"""Timeout of asking whether a sidecar runs already."""


async def findings(
    config: Path, models_for: Callable[[Settings, Mapping[str, Any]], EmbeddingModels | None]
) -> list[Finding]:
    """All findings for a LiteLLM config file, most important first.

    ``models_for`` gives the models in that config which the settings need; None when they need none.
    """
    twice = await asyncio.to_thread(_named_twice, config)
    try:
        parsed, settings = await asyncio.to_thread(_read, config)
    except LiteLLMMemoryError as error:
        remedy = "Correct the config, or name another with --config; docs/configuration.md lists every key."
        return [_litellm(), Finding("error", str(error), remedy), *twice]
    embedders = Embedders(settings, await asyncio.to_thread(models_for, settings, parsed))
    model = _model(settings) if settings.embedding.model == "local" else [await _called_model(embedders)]
    found = [
        _litellm(),
        *twice,
        *about_config(parsed, settings, os.environ),
        *model,
        *(place := about_data_dir(settings.data_dir)),
    ]
    if place[-1].level == "ok":
        found += [await asyncio.to_thread(_ledger, settings), *await _store(settings, embedders)]
    embedders.close()
    return [*found, *await _sidecar(settings.sidecar)]


def _read(config: Path) -> tuple[Mapping[str, Any], Settings]:
    parsed = read_config(config)
    return parsed, load_settings(parsed, directory=config.resolve().parent)


def _named_twice(config: Path) -> list[Finding]:
    """Warnings for keys that stand twice in one mapping, of which YAML takes the last without a word."""
    what = "{} stands twice, in line {} too: the last one counts."
    return [Finding("warning", what.format(key, line), "Join the two.") for key, line in keys_named_twice(config)]


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
    path = settings.data_dir / "ledger.db"
    if settings.ledger.url is None and not path.exists():
        return Finding("ok", "there is no ledger yet: the first start of the proxy makes one")
    try:
        schema_and_store(settings.ledger_url)
    except LiteLLMMemoryError as error:
        return Finding("error", str(error), "Correct ledger.url, or free the disk that holds data_dir.")
    if settings.ledger.url is None and is_damaged(path):
        return Finding("error", "The ledger is damaged.", REBUILD)
    return Finding("ok", "the ledger opens")


async def _store(settings: Settings, embedders: Embedders) -> list[Finding]:
    none = [Finding("ok", "there is no store yet: the first start of the proxy makes one")]
    if settings.store.mode == "embedded" and not (settings.data_dir / "chroma" / DATABASE).exists():
        return none
    try:
        store = await open_known_store(settings.store, settings.data_dir)
        if store is None:
            return none
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


async def _sidecar(place: SidecarSettings) -> list[Finding]:
    """Whether the sidecar's port is free, or served by a sidecar already; and what that one says of LiteLLM."""
    if not place.enabled:
        return [Finding("ok", "the sidecar is switched off")]
    address, told = place.address, None
    try:
        async with httpx.AsyncClient(timeout=SIDECAR_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{address}/health")
            told = await client.get(f"{address}/ready") if _is_sidecar(answer) else None
    except httpx.ConnectError:
        return [Finding("ok", f"nothing serves at {address} yet: the proxy's start does")]
    except httpx.HTTPError:
        pass
    if told is not None:
        return [Finding("ok", f"the sidecar answers at {address}"), *_of_litellm(told.json())]
    remedy = "Name another sidecar.port, or end that program."
    return [Finding("warning", f"Another program listens at {address}, so the sidecar cannot.", remedy)]


def _of_litellm(ready: Mapping[str, Any]) -> Iterator[Finding]:
    """What a running proxy says of LiteLLM's callbacks and of LiteLLM's own memory, each with its remedy."""
    problems = ready.get("problems") or {}
    if "callbacks" in problems:
        yield Finding("error", str(problems["callbacks"]), "docs/troubleshooting.md")
    if "beside" in problems:
        yield Finding("warning", str(problems["beside"]), "docs/coming-from/litellm.md")


def _is_sidecar(answer: httpx.Response) -> bool:
    try:
        return "version" in answer.json()
    except (ValueError, TypeError):
        return False


async def _belongs(settings: Settings, store: Store) -> None:
    """Raises StoreError when the ledger belongs to another store; a ledger that does not open belongs to none."""
    if settings.store.mode != "embedded" or not (settings.ledger.url or (settings.data_dir / "ledger.db").exists()):
        return
    with suppress(LedgerError):
        _, known = await asyncio.to_thread(schema_and_store, settings.ledger_url)
        if known is not None and known != store.id:
            raise StoreError(OTHER_STORE)


def _number(text: str) -> tuple[int, ...]:
    """A version as numbers, up to the first part that is not one."""
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
