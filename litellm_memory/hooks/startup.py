"""Start-up, when LiteLLM first asks for the handler: engine, wrap and sidecar start, the config file is watched."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from litellm_memory import __version__
from litellm_memory.engine import Engine
from litellm_memory.errors import SettingsError
from litellm_memory.hooks import proxy
from litellm_memory.hooks.asgi import Wrap
from litellm_memory.hooks.guardrails import Guardrails
from litellm_memory.hooks.handler import MemoryHandler
from litellm_memory.hooks.listed import Listed
from litellm_memory.llm import count_tokens
from litellm_memory.metrics import Shared
from litellm_memory.page import Claims, with_page
from litellm_memory.settings import Settings, needs_restart, read_settings
from litellm_memory.sidecar import Served, add_routing, create_app, keep_alerting, keep_figures, serve

logger = logging.getLogger(__name__)
_console = logging.getLogger("uvicorn.error")
"""The one logger whose lines at level info LiteLLM shows unasked, as in "Application startup complete."."""

RELOAD_SECONDS = 2.0
SWITCH_SECONDS = 0.001
"""``sys.setswitchinterval``: seconds that a thread waits for the GIL before it requests it. Where each worker searches,
a request waits for threads: with Python's default of 5 ms, a fifth of all requests missed the recall deadline at eight
connections."""
FREEZES = 8
"""How many full garbage collections are followed by ``gc.freeze``."""


def build_handler() -> MemoryHandler:
    """The handler of this proxy worker, wired in. Called on LiteLLM's event loop while LiteLLM loads its config.

    Raises SettingsError, which stops the proxy with one sentence. A disk error does not: `/ready` says what to do.
    """
    settings = proxy.loaded_settings()
    if not settings.recall.process:
        sys.setswitchinterval(SWITCH_SECONDS)
    engine = Engine(settings, count=count_tokens, models=proxy.models(), alone=False)
    shared, guardrails = Shared(engine.ledger.figures), Guardrails()
    _install(engine, shared, guardrails)
    engine.open()
    handler = MemoryHandler(engine, guardrails)
    engine.spawn(_follow(engine, proxy.config_path(), Listed(handler, engine.health)))
    engine.spawn(keep_figures(engine, shared))
    engine.spawn(keep_alerting(engine))
    if settings.sidecar.enabled:
        app = create_app(engine, authenticate=proxy.authenticate, shared=shared)
        engine.spawn(serve(with_page(app, Claims(proxy.are_claims_signed, proxy.claimant)), engine))
    _settle_heap()
    _console.info("%s", told(settings))
    return handler


def told(settings: Settings) -> str:
    """What the start says: that memory is on, its version, and where its data and its sidecar are."""
    off = [part for part, on in (("inject", settings.inject), ("remember", settings.remember)) if not on]
    state = f"is on, with {' and '.join(off)} switched off" if off else "is on"
    place = f"its sidecar is at {settings.sidecar.address}" if settings.sidecar.enabled else "it has no sidecar"
    return f"litellm-memory {__version__} {state}: its data are in {settings.data_dir}, {place}."


def _settle_heap() -> None:
    """Excludes from later garbage collections what is loaded now and what LiteLLM loads with its first requests.

    A full collection walks LiteLLM's 460,000 objects, which blocks every request for 0.3 s. Only the first collections
    are followed by a freeze: after start-up even a long-lived object may still become garbage.
    """
    done = 0

    def freeze(phase: str, info: Mapping[str, int]) -> None:
        nonlocal done
        if phase == "stop" and info["generation"] == 2:
            gc.freeze()
            done += 1
            if done == FREEZES:
                gc.callbacks.remove(freeze)

    gc.callbacks.append(freeze)
    gc.collect()


def _install(engine: Engine, shared: Shared, guardrails: Guardrails) -> None:
    """Installs the parts of memory that are not hooks; ``health`` says so when this LiteLLM cannot be wrapped."""
    try:
        proxy.wrap_app(lambda app: Wrap(app, engine, guardrails))
    except AttributeError:
        engine.health.wrap = (
            "This LiteLLM cannot be wrapped: pass-through routes get no memory headers, and /azure relays no memory."
        )
    proxy.extend_app(partial(add_routing, served=Served(engine, proxy.authenticate, shared)))
    proxy.before_shutdown(engine.aclose)


async def _follow(engine: Engine, path: Any, listed: Listed) -> None:
    """Looks whether LiteLLM still calls memory, and reloads the section whenever the config file changes."""
    seen = await asyncio.to_thread(_stamp, path) if path else None
    while True:
        await asyncio.sleep(RELOAD_SECONDS)
        listed.look()
        stamp = await asyncio.to_thread(_stamp, path) if path else None
        if stamp != seen:
            seen = stamp
            await _reload(engine, path)


async def _reload(engine: Engine, path: Any) -> None:
    """Uses the section as it is in the file now; an invalid one keeps the last good settings."""
    try:
        settings: Settings = await asyncio.to_thread(read_settings, path)
    except SettingsError as error:
        logger.error("The changed config is not used: %s", error)
        return
    engine.embedders.prepare_move(settings)
    waiting = needs_restart(engine.settings, settings)
    if waiting:
        logger.warning("A restart is needed before these settings hold: %s.", ", ".join(waiting))
    engine.use(settings.model_copy(update={key: getattr(engine.settings, key) for key in waiting}))
    logger.info("The changed settings hold from now on.")


def _stamp(path: Any) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
