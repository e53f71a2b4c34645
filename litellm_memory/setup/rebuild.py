"""``litellm-memory check --rebuild``: rebuilds a damaged store or ledger from what can still be read of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from litellm_memory.embedding import Embedder, Embedders, memory_vectors
from litellm_memory.errors import StoreError
from litellm_memory.ledger import ASIDE, Ledger, fill_from, is_damaged
from litellm_memory.settings import Settings
from litellm_memory.store import Rebuilt, Vectors, owned, put_aside, rebuild


async def rebuild_all(settings: Settings) -> list[str]:
    """Rebuilds what is damaged; returns what was done, a sentence each. The damaged files are kept aside.

    Raises StoreError while a process uses the data, for data that are not on this host, and when it fails.
    """
    if settings.store.mode != "embedded":
        raise StoreError("Only an embedded store is made anew here: restore the Chroma server from its backup.")
    data_dir = settings.data_dir
    with owned(data_dir) as record:
        if record is None:
            raise StoreError(f"{data_dir} is in use: stop the proxy, wait ten seconds, and try again.")
        done = await asyncio.to_thread(_rebuild_ledger, settings)
        built = await _rebuild_store(settings, data_dir)
        await asyncio.to_thread(_note_store, settings, built.store_id)
    return [*done, _told(built)]


async def _rebuild_store(settings: Settings, data_dir: Path) -> Rebuilt:
    embedders = Embedders(settings)
    opened: dict[str, Embedder | None] = {}

    async def embed(identity: str, texts: Sequence[str]) -> Sequence[Vectors | None]:
        if identity not in opened:
            opened[identity] = await asyncio.to_thread(embedders.of, identity)
        embedder = opened[identity]
        # A memory without a vector is found by its words, and is embedded once a proxy with the model has loaded it.
        return [None] * len(texts) if embedder is None else await memory_vectors(embedder, texts)

    try:
        return await rebuild(
            data_dir,
            data_dir / ASIDE,
            embed,
            embedder=embedders.identity,
            dimension=await embedders.dimension(),
        )
    except OSError as error:
        raise StoreError(f"{data_dir} cannot be written: {error.strerror}.") from None
    finally:
        embedders.close()


def _rebuild_ledger(settings: Settings) -> list[str]:
    """Returns nothing for an intact ledger, and for one that is not a file of this directory."""
    path = settings.data_dir / "ledger.db"
    if settings.ledger.url is not None or not is_damaged(path):
        return []
    damaged = put_aside(path, settings.data_dir / ASIDE)
    for rest in ("ledger.db-wal", "ledger.db-shm"):
        put_aside(settings.data_dir / rest, settings.data_dir / ASIDE)
    Ledger.open(settings.ledger_url).close()
    assert damaged is not None
    brought, unreadable = fill_from(damaged, path)
    lost = " Messages that are sent again may be learned once more." if unreadable else ""
    return [f"The ledger was made anew with {brought} rows; {unreadable} parts could not be read.{lost}"]


def _note_store(settings: Settings, store_id: str) -> None:
    ledger = Ledger.open(settings.ledger_url)
    try:
        ledger.facts.belongs_to(store_id)
    finally:
        ledger.close()


def _told(built: Rebuilt) -> str:
    kept = f" What it was made from is in {built.aside}." if built.aside else ""
    return (
        f"The store was made anew with {built.memories} memories, {built.embedded} of them with a vector; "
        f"{built.unreadable} parts could not be read.{kept}"
    )
