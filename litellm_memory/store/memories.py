"""The store: memories kept in Chroma's collections, and the checks before they may be used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from litellm_memory.errors import StoreError
from litellm_memory.models import Memory, is_memory_id, namespace
from litellm_memory.store.collections import Collections, Metadata, Vectors
from litellm_memory.store.layout import COLLECTIONS, Kind, Layout
from litellm_memory.store.marker import (
    COPY,
    COPY_DIMENSION,
    MARKER,
    StoreFacts,
    check,
    current_marker,
    facts_of,
    fresh_marker,
)
from litellm_memory.store.records import (
    Entry,
    blank_rows,
    changed_rows,
    checked_id,
    counted,
    entries_of,
    memories_of,
    rows_of,
)

PAGE = 300
"""At most this many records per read: Chroma Cloud's limit."""

ALL = 10_000
"""At most this many ids per read of an embedded Chroma or a server. Reading by id takes the same time anywhere in a
collection; paging by offset gets slower with every page."""

BATCH = 32
"""At most this many records per write. An embedded Chroma replaces a record of a large collection in about 8 ms, and
answers no read of any worker meanwhile."""

OVERFETCH = 3
"""Factor on the limit of a search: Chroma's filtered search misses some neighbours in large collections; asking for
more brings them back."""

T = TypeVar("T")


class Store:
    """The memories in Chroma. An acknowledged write survives a kill; a write that failed may still have happened.

    Every call raises StoreError when Chroma times out or answers with an error.
    """

    def __init__(self, collections: Collections, layout: Layout, marker: Metadata) -> None:
        self.collections = collections
        self.layout = layout
        self.marker = marker
        self.embedder = layout.embedder
        """The identity of the embedder that made the vectors."""
        self.dimension = layout.dimension
        """The length of the vectors."""
        self.id = str(marker.get("store_id", ""))
        """Made once, with the store: a different one means another store, or an emptied one."""

    async def put(self, entries: Sequence[Entry]) -> None:
        """Inserts or replaces the entries by id; of equal ids the last wins. One write has BATCH entries of one user.

        A text beyond TEXT_BYTES and a reply beyond REPLY_BYTES are truncated; vectors are stored as float32. Raises
        ValueError, and stores nothing, for an id that is not ``memory_id``'s, a vector of another dimension, or fields
        longer than Chroma Cloud's limits. This and the other writes raise StoreMovedError, and store nothing, once the
        store has moved.
        """
        last = {checked_id(entry.memory): entry for entry in entries}
        groups = [
            (name, [last[memory_id] for memory_id in ids]) for name, ids in by_collection(self.layout, last, BATCH)
        ]
        batches = [(name, rows_of(group, self.layout.dimension)) for name, group in groups]
        await self.health()
        for name, rows in batches:
            await self.collections.upsert(name, rows)

    async def amend(self, changes: Sequence[tuple[Entry, Entry]]) -> None:
        """Writes the difference between entries as they were read and their new versions, which have the same ids.

        An entry that was deleted meanwhile stays deleted. Groups of fields without a difference are not written, so
        that concurrent changes to them survive: text with vector, uses, reply, and all other fields together. Raises as
        ``put``.
        """
        by_id = {before.memory.id: (before, after) for before, after in changes}
        batches = [
            (name, rows)
            for name, ids in by_collection(self.layout, by_id, BATCH)
            for rows in changed_rows([by_id[memory_id] for memory_id in ids], self.layout.dimension)
        ]
        await self.health()
        for name, rows in batches:
            await self.collections.update(
                name, rows.ids, rows.metadatas, documents=rows.documents or None, vectors=rows.vectors
            )

    async def get(self, partition: str, ids: Sequence[str], *, vectors: bool = True) -> list[Entry]:
        """The entries with these ids, in their order; missing ones and other partitions' are omitted.

        Reading without ``vectors`` takes about half as long.
        """
        found: dict[str, Entry] = {}
        for name, asked in by_collection(self.layout, ids, PAGE):
            rows = await self.collections.get(name, asked, vectors=vectors)
            # In a thread when there are many: parsing one takes about 40 µs.
            reading = partial(entries_of, rows, partition=partition)
            entries = reading() if len(asked) <= BATCH else await asyncio.to_thread(reading)
            found |= {entry.memory.id: entry for entry in entries}
        return [found[memory_id] for memory_id in dict.fromkeys(ids) if memory_id in found]

    async def load(self, partition: str, user: str | None = None) -> list[Entry]:
        """Every entry of one user, or of the whole partition, in insertion order within a collection."""
        return list({one.memory.id: one async for page in self.pages(partition, user) for one in page}.values())

    async def pages(
        self, partition: str, user: str | None = None, *, vectors: bool = True
    ) -> AsyncIterator[list[Entry]]:
        """As ``load``, in pages: RAM holds the ids and one page."""
        if user is not None:
            async for page in self.read(partition, await self.ids(partition, user), user=user, vectors=vectors):
                yield page
        else:
            for name in await self.collections.names(self.layout.prefix):
                ids = [one async for one in record_ids(self.collections, self.layout, name, {"partition": partition})]
                async for page in self.read(partition, ids, vectors=vectors):
                    yield page

    async def ids(self, partition: str, user: str) -> list[str]:
        """The ids of the user's entries, in insertion order."""
        ns = namespace(partition, user)
        return [
            one
            async for one in record_ids(
                self.collections, self.layout, self.layout.collection(ns), self.layout.where(ns)
            )
        ]

    async def read(
        self, partition: str, ids: Sequence[str], *, user: str | None = None, vectors: bool = True
    ) -> AsyncIterator[list[Entry]]:
        """The partition's entries with these ids (and of this user, if given), in their order, in pages."""
        ns = None if user is None else namespace(partition, user)
        for asked in chunks(ids, PAGE):
            entries = await self.get(partition, asked, vectors=vectors)
            yield [entry for entry in entries if ns is None or entry.memory.namespace == ns]

    async def holding(self, partition: str, user: str, words: Sequence[str], limit: int) -> list[Entry]:
        """At most ``limit`` entries of the user whose text contains one of these words, in no order.

        The words are in lower case and may be parts of words; their capitalised forms are found too.
        """
        ns = namespace(partition, user)
        spellings = list(dict.fromkeys(spelt for word in words for spelt in (word, word.capitalize())))
        found = await self.collections.containing(
            self.layout.collection(ns), self.layout.where(ns), spellings, limit=min(PAGE, limit)
        )
        return await asyncio.to_thread(entries_of, found, partition=partition, namespace=ns)

    async def nearest(self, partition: str, user: str, vector: Vectors, limit: int) -> list[Entry]:
        """At most ``limit`` embedded entries of the user, nearest by cosine first, from Chroma's own index."""
        ns = namespace(partition, user)
        name, where = self.layout.collection(ns), self.layout.where(ns)
        # A filter that matches most records is the slowest one for Chroma, so the first attempt has none: enough for a
        # user who owns most of a collection.
        for filter_, asked in ((None, 2 * limit), (where, max(30, limit * OVERFETCH))):
            rows = await self.collections.nearest(name, filter_, vector, limit=min(PAGE, asked))
            entries = await asyncio.to_thread(entries_of, rows, partition=partition, namespace=ns)
            embedded = [entry for entry in entries if entry.vector is not None]
            if filter_ == where or len(embedded) >= limit:
                break
        return embedded[:limit]

    async def delete(self, partition: str, ids: Sequence[str]) -> None:
        """Deletes the partition's entries with these ids; ignores missing ones and other partitions'."""
        for layout in (self.layout, *await self.copies()):
            for name, asked in by_collection(layout, ids, BATCH):
                rows = await self.collections.get(name, asked, vectors=False)
                records = zip(rows.ids, rows.metadatas, strict=True)
                own = [memory_id for memory_id, metadata in records if metadata.get("partition") == partition]
                if own:
                    # Chroma's index keeps the vector of a deleted record for good, so the record is overwritten first.
                    # By an update, which cannot bring back what was deleted concurrently.
                    blank = blank_rows(own, layout.dimension)
                    await self.collections.update(
                        name, own, blank.metadatas, documents=blank.documents, vectors=blank.vectors
                    )
                    await self.collections.delete(name, own)

    async def touch(self, used: Mapping[str, int], at: datetime) -> None:
        """Adds to the use counts of these memories and sets when they were last used; ignores missing ones.

        Not atomic: two processes that touch one memory at the same instant may count one use.
        """
        await self.health()
        for name, asked in by_collection(self.layout, used, BATCH):
            rows = await self.collections.get(name, asked, vectors=False)
            if rows.ids:
                records = zip(rows.ids, rows.metadatas, strict=True)
                changes = [counted(metadata, used[memory_id], at) for memory_id, metadata in records]
                await self.collections.update(name, rows.ids, changes)

    async def scrub(self) -> None:
        """Removes deleted data from the files of this host; may take minutes, during which writes wait."""
        if self.layout.kind == "buckets":
            await self.collections.scrub(COLLECTIONS)

    async def facts(self) -> StoreFacts:
        """What the store records about itself, and how many memories it holds. Reads the count of every collection."""
        names = await self.collections.names(self.layout.prefix)
        return facts_of(self.marker, count=sum([await self.collections.count(name) for name in names]))

    async def health(self) -> None:
        """Raises StoreError, with what to do, unless Chroma answers and is the store that was opened."""
        await current_marker(self.collections, self.marker)

    async def copies(self) -> list[Layout]:
        """Layouts other than this one that hold records: a move's copy before the switch, or its originals after it."""
        marker = await current_marker(self.collections, self.marker)
        if COPY not in marker:
            return []
        return [replace(self.layout, embedder=str(marker[COPY]), dimension=int(marker[COPY_DIMENSION] or 0))]

    async def reopened(self) -> Store:
        """The store as it is now, on the same connection. Raises StoreError when this version cannot use it any
        more."""
        return known_store(self.collections, self.layout.kind, await self.collections.describe(MARKER) or {})

    async def aclose(self) -> None:
        """Closes the connection to Chroma."""
        await self.collections.aclose()


async def record_ids(collections: Collections, layout: Layout, name: str, where: Metadata | None) -> AsyncIterator[str]:
    """The ids of a collection's records whose metadata equal ``where``, in insertion order."""
    limit, offset = ALL if layout.kind == "buckets" else PAGE, 0
    while page := await collections.ids(name, where, limit=limit, offset=offset):
        for memory_id in page:
            yield memory_id
        if len(page) < limit:
            return
        offset += limit


async def every_memory(store: Store) -> AsyncIterator[list[Memory]]:
    """The memories of all partitions, in pages, in no particular order."""
    for name in await store.collections.names(store.layout.prefix):
        ids = [one async for one in record_ids(store.collections, store.layout, name, None)]
        for asked in chunks(ids, PAGE):
            rows = await store.collections.get(name, asked, vectors=False)
            yield await asyncio.to_thread(memories_of, rows)


def by_collection(layout: Layout, ids: Iterable[str], size: int) -> Iterator[tuple[str, list[str]]]:
    """Each collection with its ids, at most ``size`` at a time; invalid ids are omitted."""
    groups: dict[str, list[str]] = {}
    for memory_id in dict.fromkeys(ids):
        if is_memory_id(memory_id):
            groups.setdefault(layout.collection(memory_id), []).append(memory_id)
    return ((name, chunk) for name, group in groups.items() for chunk in chunks(group, size))


async def open_collections(collections: Collections, layout: Layout) -> Store:
    """The store in these collections; a new one gets its marker. Raises StoreError for one that is another embedder's
    or that this version cannot use."""
    marker = await collections.describe(MARKER)
    if marker is None:
        await collections.create(MARKER, fresh_marker(layout.kind, layout.embedder, layout.dimension))
        # Read again: another process may have written it first.
        marker = await collections.describe(MARKER) or {}
    store = known_store(collections, layout.kind, marker)
    if (store.embedder, store.dimension) != (layout.embedder, layout.dimension):
        raise StoreError(
            f"The store's vectors come from the embedder {store.embedder} ({store.dimension} dimensions), but "
            f"{layout.embedder} ({layout.dimension}) is in use: set the former again, or name another data_dir."
        )
    return store


async def open_known(collections: Collections, kind: Kind) -> Store | None:
    """The store in these collections, whichever embedder made it; None when there is none yet. Raises StoreError."""
    marker = await collections.describe(MARKER)
    return None if marker is None else known_store(collections, kind, marker)


def known_store(collections: Collections, kind: Kind, marker: Metadata) -> Store:
    """The store that a marker describes. Raises StoreError when this version cannot use it."""
    facts = facts_of(marker, count=0)
    check(facts, kind)
    return Store(collections, Layout(kind, facts.embedder, facts.dimension), marker)


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
