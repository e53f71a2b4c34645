"""Rebuilds an embedded store from the texts in its damaged files; the vectors are computed again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litellm_memory.files.address import put_aside
from litellm_memory.files.integrity import DATABASE
from litellm_memory.files.salvage import Damaged
from litellm_memory.models import is_memory_id
from litellm_memory.store.collections import Collections, Metadata, Rows, Vectors
from litellm_memory.store.layout import Layout
from litellm_memory.store.marker import MARKER, facts_of, fresh_marker
from litellm_memory.store.memories import BATCH, by_collection

DOCUMENT = "chroma:document"
"""The metadata key under which Chroma's SQLite keeps a document."""

Embed = Callable[[str, Sequence[str]], Awaitable[Sequence[Vectors | None]]]
"""The vectors for these texts by the embedder with this identity; None for a text that gets none."""


@dataclass(frozen=True, slots=True)
class Readable:
    """What can be read of a damaged store: its marker, the records by id, and the number of unreadable spans."""

    marker: Mapping[str, object]
    records: Mapping[str, tuple[str, Metadata]]
    unreadable: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The rebuilt store. ``aside`` holds the damaged files; None when there were none."""

    store_id: str
    memories: int
    embedded: int
    unreadable: int
    aside: Path | None


async def rebuild(data_dir: Path, aside: Path, embed: Embed, *, embedder: str, dimension: int) -> Rebuilt:
    """Moves the files of the store to ``aside`` and rebuilds it; ``embedder`` applies when the files do not name one.

    The caller must hold the directory's lock. Raises StoreError and OSError.
    """
    # Read before Chroma is imported: its SQLite library must not be loaded while ours has the file open.
    directory = data_dir / "chroma"
    found = await asyncio.to_thread(readable, directory)
    moved = put_aside(directory, aside)
    from litellm_memory.store.chroma import open_directory

    marker: Metadata = {**fresh_marker("buckets", embedder, dimension), **_known(found.marker)}
    facts = facts_of(marker, count=0)
    layout = Layout("buckets", facts.embedder, facts.dimension)
    collections = await open_directory(directory)
    try:
        await collections.create(MARKER, marker)
        embedded = 0
        for name, ids in by_collection(layout, found.records, BATCH):
            vectors = await embed(facts.embedder, [found.records[memory_id][0] for memory_id in ids])
            embedded += sum(vector is not None for vector in vectors)
            await collections.upsert(name, _rows(found, ids, vectors, facts.dimension))
    finally:
        await collections.aclose()
    return Rebuilt(facts.store_id, len(found.records), embedded, found.unreadable, moved)


def readable(directory: Path) -> Readable:
    """What can be read of the memories in a Chroma directory, damaged or not."""
    damaged = Damaged(directory / DATABASE)
    values: dict[int, dict[str, str | int | float | bool | None]] = {}
    columns = ("id", "key", "string_value", "int_value", "float_value", "bool_value")
    for row, key, text, whole, number, truth in damaged.rows("embedding_metadata", columns):
        known = [value for value in (text, whole, number) if value is not None]
        values.setdefault(row, {})[key] = known[0] if known else None if truth is None else bool(truth)
    records = {
        memory_id: (str(values[row].pop(DOCUMENT, "") or ""), values[row])
        for row, memory_id in damaged.rows("embeddings", ("id", "embedding_id"), key="id")
        if row in values and is_memory_id(memory_id)
    }
    marker = damaged.rows("collection_metadata", ("collection_id", "key", "str_value", "int_value"))
    of_collections: dict[str, dict[str, object]] = {}
    for collection, key, text, whole in marker:
        of_collections.setdefault(collection, {})[key] = whole if text is None else text
    ours = next((facts for facts in of_collections.values() if "store_id" in facts), {})
    return Readable(ours, {key: record for key, record in records.items() if record[0]}, damaged.unreadable)


async def fill_index(collections: Collections, name: str, dimension: int) -> None:
    """Writes every record of a collection again, as one without a vector, after its index was removed."""
    # Random vectors, not zeros: among equal vectors the index makes dangling links, which stay when the real ones
    # arrive.
    drawn = np.random.default_rng(0)
    offset = 0
    while ids := await collections.ids(name, None, limit=BATCH, offset=offset):
        rows = await collections.get(name, ids, vectors=False)
        metadatas: list[Metadata] = [{**metadata, "embedded": False} for metadata in rows.metadatas]
        blank = drawn.normal(size=(len(rows.ids), dimension)).astype(np.float32)
        await collections.upsert(name, Rows(rows.ids, rows.documents, metadatas, blank))
        offset += len(ids)


def _known(marker: Mapping[str, object]) -> dict[str, str | int]:
    names = ("store_id", "embedder", "dimension")
    known = {name: value for name in names if isinstance(value := marker.get(name), str | int)}
    return known if len(known) == len(names) else {}


def _rows(found: Readable, ids: Sequence[str], vectors: Sequence[Vectors | None], dimension: int) -> Rows:
    return Rows(
        ids=list(ids),
        documents=[found.records[memory_id][0] for memory_id in ids],
        metadatas=[
            {**found.records[memory_id][1], "embedded": vector is not None}
            for memory_id, vector in zip(ids, vectors, strict=True)
        ],
        vectors=np.stack([np.zeros(dimension, np.float32) if vector is None else vector for vector in vectors]),
    )
