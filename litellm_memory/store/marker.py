"""The marker collection: it records which store a Chroma holds, and its schema, layout and embedder."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from litellm_memory.errors import StoreError, StoreMovedError
from litellm_memory.store.collections import Collections, Metadata
from litellm_memory.store.layout import Kind

SCHEMA = 1
"""The version of how memories are stored; a newer one is refused."""
MARKER = "litellm-memory"
"""The collection whose metadata describe the store."""
COPY, COPY_DIMENSION = "copy", "copy_dimension"
"""Metadata of the marker during a move: the embedder and dimension of the records that do not serve, either the new
ones before the switch or the old ones after it."""


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store records about itself. ``store_id`` is made once: a different one means another or an emptied
    store."""

    store_id: str
    schema: int
    layout: str
    embedder: str
    dimension: int
    count: int


def fresh_marker(layout: Kind, embedder: str, dimension: int) -> Metadata:
    """The marker of a new store."""
    return {"store_id": uuid4().hex, "schema": SCHEMA, "layout": layout, "embedder": embedder, "dimension": dimension}


async def current_marker(collections: Collections, opened: Metadata) -> Metadata:
    """The marker as it is now. Raises StoreError when it is no longer that of the store that was opened.

    Raises StoreMovedError when the store has moved to another embedder since.
    """
    marker = await collections.describe(MARKER)
    if marker is None or marker.get("store_id") != opened["store_id"]:
        raise StoreError(
            "Chroma no longer holds the store that was opened: restore it from a backup, then restart the proxy."
        )
    if (marker["embedder"], marker["dimension"]) != (opened["embedder"], opened["dimension"]):
        raise StoreMovedError("The memories have moved to another embedder; they are used again in a moment.")
    return marker


def facts_of(marker: Metadata, *, count: int) -> StoreFacts:
    """The facts in the marker's metadata. Raises StoreError when one is missing."""
    try:
        return StoreFacts(
            store_id=str(marker["store_id"]),
            schema=int(marker["schema"] or 0),
            layout=str(marker["layout"]),
            embedder=str(marker["embedder"]),
            dimension=int(marker["dimension"] or 0),
            count=count,
        )
    except (KeyError, ValueError):
        raise StoreError(
            f"Chroma's collection '{MARKER}' was not made by this package: use another database or data_dir."
        ) from None


def check(facts: StoreFacts, kind: Kind) -> None:
    """Raises StoreError unless this version can use the store in this layout."""
    if facts.schema > SCHEMA:
        raise StoreError(
            f"The store was written by a newer litellm-memory (schema {facts.schema}, this one knows {SCHEMA}): "
            "install that version again."
        )
    if facts.layout != kind:
        raise StoreError(
            f"The store was made with store.layout {facts.layout}: set that again, or export the memories and import "
            "them into another database."
        )
