"""Moves a store's records to another embedder: they are copied while the old ones serve, until the switch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import orjson

from litellm_memory.store.collections import Metadata, Rows, Vectors
from litellm_memory.store.layout import Layout
from litellm_memory.store.marker import COPY, COPY_DIMENSION, MARKER
from litellm_memory.store.memories import BATCH, PAGE, Store, by_collection, chunks, record_ids
from litellm_memory.store.records import blank_rows

Embed = Callable[[Sequence[str]], Awaitable[Sequence[Vectors | None]]]
"""A vector per text; None for a text that gets none."""
Record = tuple[str, Metadata]
"""The text and the metadata of a record."""


class Move:
    """The move of one store to ``embedder``. It resumes where an interrupted one stopped.

    ``copy`` may run repeatedly while the store is in use. ``switch`` makes the copy the store. ``finish`` brings over
    what was written to the old records meanwhile and deletes these.
    """

    def __init__(self, store: Store, *, embedder: str, dimension: int, embed: Embed) -> None:
        self._store = store
        self._collections = store.collections
        self._old = store.layout
        self._new = replace(store.layout, embedder=embedder, dimension=dimension)
        self._embed = embed
        self._copied: dict[str, bytes] = {}
        """Digest of each record when it was last copied, by id."""
        self._refused: set[str] = set()

    async def begin(self) -> None:
        """Records where the copy will be, so that memories forgotten meanwhile are deleted there too.

        Deletes what an earlier move to another embedder left.
        """
        if self._new not in await self._store.copies():
            await remove_leftovers(self._store)
        await self._mark(self._old, copy=self._new)

    async def copy(self, brought: Callable[[int], None]) -> int:
        """How many records were missing or outdated in the copy; ``brought`` is called with the number of records
        checked."""
        changed = 0
        self._copied = {}
        async for ids in self._ids(self._old):
            found = _by_id(await self._collections.get(self._old.collection(ids[0]), ids, vectors=False))
            changed += await self._bring(found)
            brought(len(found))
        async for ids in self._ids(self._new):
            changed += await self._take_away([memory_id for memory_id in ids if memory_id not in self._copied])
        return changed

    async def switch(self) -> None:
        """Makes the copy the store: processes that still have the old one open get StoreMovedError for writes."""
        await self._mark(self._new, copy=self._old)

    async def finish(self) -> None:
        """Brings over what was written to the old records during the switch, and deletes them."""
        late: set[str] = set()
        async for ids in self._ids(self._old):
            late.update(ids)
            found = _by_id(await self._collections.get(self._old.collection(ids[0]), ids, vectors=False))
            changed = {key: record for key, record in found.items() if _digest(record) != self._copied.get(key)}
            await self._bring(await self._untouched(changed))
        gone = [memory_id for memory_id in self._copied if memory_id not in late]
        await self._take_away(gone)
        await remove_leftovers(await self._store.reopened())

    async def _mark(self, serving: Layout, *, copy: Layout) -> None:
        names: Metadata = {"embedder": serving.embedder, "dimension": serving.dimension}
        other: Metadata = {COPY: copy.embedder, COPY_DIMENSION: copy.dimension}
        await self._collections.mark(MARKER, {**_plain(self._store), **names, **other})

    async def _ids(self, layout: Layout) -> AsyncIterator[list[str]]:
        """The ids of all records, in groups of one collection each."""
        for name in await self._collections.names(layout.prefix):
            found = [one async for one in record_ids(self._collections, layout, name, None)]
            for ids in chunks(found, PAGE):
                yield ids

    async def _bring(self, found: Mapping[str, Record]) -> int:
        """Copies those of these records that are missing or outdated in the copy; how many there were."""
        if not found:
            return 0
        name = self._new.collection(next(iter(found)))
        there = _by_id(await self._collections.get(name, list(found), vectors=False))
        again = [key for key, record in found.items() if key in there and _text(there[key]) == _text(record)]
        whole = [key for key in found if key not in again or self._may_be_embedded(key, there[key])]
        vectors = dict(zip(whole, await self._embed([found[key][0] for key in whole]), strict=True))
        self._refused |= {key for key, vector in vectors.items() if vector is None}
        for ids in chunks(whole, BATCH):
            await self._collections.upsert(name, self._rows(ids, found, [vectors[key] for key in ids]))
        stale = [key for key in again if key not in whole and _about(there[key]) != _about(found[key])]
        for ids in chunks(stale, BATCH):
            absent: list[Metadata] = [dict.fromkeys(there[key][1].keys() - found[key][1].keys()) for key in ids]
            news = [{**gone, **_about(found[key])} for key, gone in zip(ids, absent, strict=True)]
            await self._collections.update(name, ids, news)
        self._copied |= {key: _digest(record) for key, record in found.items()}
        return len(whole) + len(stale)

    def _may_be_embedded(self, memory_id: str, copied: Record) -> bool:
        return not copied[1].get("embedded") and memory_id not in self._refused

    def _rows(self, ids: Sequence[str], found: Mapping[str, Record], vectors: Sequence[Vectors | None]) -> Rows:
        zeros = np.zeros(self._new.dimension, np.float32)
        return Rows(
            ids=list(ids),
            documents=[found[key][0] for key in ids],
            metadatas=[
                {**found[key][1], "embedded": vector is not None} for key, vector in zip(ids, vectors, strict=True)
            ],
            vectors=np.stack([zeros if vector is None else vector for vector in vectors]),
        )

    async def _untouched(self, changed: Mapping[str, Record]) -> dict[str, Record]:
        """Those of the records whose copies have not been changed since they were made."""
        if not changed:
            return {}
        name = self._new.collection(next(iter(changed)))
        there = _by_id(await self._collections.get(name, list(changed), vectors=False))
        return {
            key: record
            for key, record in changed.items()
            if (_digest(there[key]) if key in there else None) == self._copied.get(key)
        }

    async def _take_away(self, ids: Sequence[str]) -> int:
        for name, asked in by_collection(self._new, ids, BATCH):
            there = await self._collections.get(name, asked, vectors=False)
            if not there.ids:
                continue
            await self._collections.upsert(name, blank_rows(there.ids, self._new.dimension))
            await self._collections.delete(name, there.ids)
        return len(ids)


async def remove_leftovers(store: Store) -> None:
    """Deletes the records that do not serve, left by an interrupted move."""
    for layout in await store.copies():
        for name in await store.collections.names(layout.prefix):
            await store.collections.drop(name)
    await store.collections.mark(MARKER, _plain(store))


def _plain(store: Store) -> Metadata:
    """The marker of a store that is not being moved."""
    return {key: value for key, value in store.marker.items() if key not in (COPY, COPY_DIMENSION)}


def _by_id(rows: Rows) -> dict[str, Record]:
    return {key: (text or "", about) for key, text, about in zip(rows.ids, rows.documents, rows.metadatas, strict=True)}


def _text(record: Record) -> str:
    return record[0]


def _about(record: Record) -> dict[str, str | int | float | bool | None]:
    """The metadata without ``embedded``, in which old and new may differ."""
    return {key: value for key, value in record[1].items() if key != "embedded" and value is not None}


def _digest(record: Record) -> bytes:
    said = orjson.dumps([record[0], _about(record)], option=orjson.OPT_SORT_KEYS)
    return blake2b(said, digest_size=8).digest()
