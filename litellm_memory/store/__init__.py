"""ChromaDB, the source of truth: embedded, server or cloud. The only room that knows Chroma."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_memory.errors import StoreError
from litellm_memory.files.address import owned, put_aside
from litellm_memory.models import memory_id
from litellm_memory.store.chroma import open_server
from litellm_memory.store.collections import Collections, Vectors
from litellm_memory.store.layout import Kind, Layout
from litellm_memory.store.marker import StoreFacts
from litellm_memory.store.memories import Store, every_memory, open_collections, open_known
from litellm_memory.store.rebuilding import Rebuilt, rebuild
from litellm_memory.store.records import REPLY_BYTES, TEXT_BYTES, Entry
from litellm_memory.store.verifying import verify

if TYPE_CHECKING:  # The process that only serves Chroma has no settings.
    from litellm_memory.settings import StoreSettings

__all__ = [
    "REPLY_BYTES",
    "TEXT_BYTES",
    "Entry",
    "Rebuilt",
    "Store",
    "StoreFacts",
    "Vectors",
    "every_memory",
    "memory_id",
    "open_known_store",
    "open_store",
    "owned",
    "put_aside",
    "rebuild",
    "verify",
]

CLOUD_HOST = "api.trychroma.com"
"""Chroma Cloud's only endpoint."""


async def open_store(settings: StoreSettings, data_dir: Path, *, embedder: str, dimension: int) -> Store:
    """The store that the settings name, created when there is none, for vectors of this embedder.

    Raises StoreError with one sentence that says what to do when it cannot be reached, belongs to another embedder or
    was written by a newer version.
    """
    collections = await _collections(settings, data_dir)
    async with AsyncExitStack() as unless_opened:
        # The collections hold open files or a connection; a cancellation must close them too.
        unless_opened.push_async_callback(collections.aclose)
        store = await open_collections(collections, Layout(_kind(settings), embedder, dimension))
        unless_opened.pop_all()
    return store


async def open_known_store(settings: StoreSettings, data_dir: Path) -> Store | None:
    """The store that the settings name, whichever embedder made it; None when there is none yet.

    Raises StoreError as ``open_store`` does.
    """
    collections = await _collections(settings, data_dir)
    store: Store | None = None
    try:
        store = await open_known(collections, _kind(settings))
        return store
    finally:
        if store is None:
            await collections.aclose()


def _kind(settings: StoreSettings) -> Kind:
    # Chroma Cloud bills for the data that a filter scans; collections cost nothing there.
    return "per-namespace" if settings.mode == "cloud" else settings.layout


async def _collections(settings: StoreSettings, data_dir: Path) -> Collections:
    if settings.mode == "embedded":
        return _owners(settings, data_dir)
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    host, port, ssl = settings.host, settings.port, settings.ssl
    if settings.mode == "cloud":
        host, port, ssl = CLOUD_HOST, 443, True
        headers = {"x-chroma-token": settings.api_key.get_secret_value()} if settings.api_key else {}
    return await open_server(
        host=host, port=port, ssl=ssl, headers=headers, tenant=settings.tenant, database=settings.database
    )


def _owners(settings: StoreSettings, data_dir: Path) -> Collections:
    if sys.platform == "win32":
        raise StoreError("store.mode embedded needs Linux or macOS: run a Chroma server and use store.mode server.")
    if settings.layout != "buckets":
        raise StoreError(
            "store.layout per-namespace is for server and cloud: an embedded Chroma answers wrongly once it has more "
            "collections than files that it may open."
        )
    from litellm_memory.store.client import OwnerCollections

    return OwnerCollections(data_dir)
