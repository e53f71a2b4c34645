"""Keeping, correcting and forgetting memories: the store first, then RAM, then word to the other workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from litellm_memory.embedding import Embedder
from litellm_memory.errors import NotFoundError, StoreError
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.index.scopes import ScopeIndexes
from litellm_memory.ledger import Ledger
from litellm_memory.memories.claims import TextClaims
from litellm_memory.memories.lists import MemoryLists
from litellm_memory.memories.uses import Uses
from litellm_memory.memories.vectors import MemoryVectors
from litellm_memory.models import Memory
from litellm_memory.render import shown
from litellm_memory.store import Entry, Store

Count = Callable[[str], int]

UNKNOWN = "There is no memory with this id."
EMBEDDED_AT_ONCE = 64
WARM_SCOPES = 200
WARM_SECONDS = 20.0
WARM_SHARE = 0.5


class Memories:
    """Keeps, finds and forgets memories. The store is the truth; RAM and the ledger follow it."""

    def __init__(self, ledger: Ledger, *, count: Count) -> None:
        self.scope_load_timeout_s = 0.05
        """How long a query waits for a scope that is being loaded."""
        self.vectors = MemoryVectors()
        self.lists = MemoryLists(ledger, lambda: self.store)
        self.uses = Uses(lambda: self.store)
        self._ledger = ledger
        self._refused: set[str] = set()
        """Ids of memories whose text the embedder does not take."""
        self._count = count
        self._store: Store | None = None
        self._claims = TextClaims(ledger, lambda: self.store)
        self._indexes = ScopeIndexes(lambda: self.store)
        self._newest_change = 0
        self._told: set[int] = set()
        """Numbers of changes that this worker made, and that are in its RAM."""

    @property
    def store(self) -> Store:
        """The open store. Raises StoreError while there is none."""
        if self._store is None:
            raise StoreError("The store of memories is not open yet.")
        return self._store

    async def use(self, store: Store, embedder: Embedder | None) -> None:
        """From now on memories are kept in ``store``, and ``embedder`` makes its vectors; None: words alone decide."""
        newest = await self._ledger.changes.newest()
        await self._indexes.aclose()
        self._indexes = ScopeIndexes(lambda: self.store)
        self._newest_change, self._store = newest, store
        self.vectors.use(embedder)
        self._refused.clear()

    async def aclose(self) -> None:
        """Closes the store."""
        await self.lists.aclose()
        await self._indexes.aclose()
        if self._store is not None:
            await self._store.aclose()

    async def index(self, partition: str, user: str) -> ScopeIndex:
        """All memories of one user, once they are in RAM; of a scope too large for that, the newest."""
        return await self._indexes.of(partition, user)

    async def searched(self, partition: str, user: str, text: str) -> ScopeIndex:
        """What the hot path searches for ``text``: all memories of one user, if they are in RAM in time.

        Otherwise, after ``scope_load_timeout_s``, what is there of them, widened by what the store finds by vector and
        by words.
        """
        if (whole := self._indexes.whole(partition, user)) is not None:
            return whole
        try:
            async with asyncio.timeout(self.scope_load_timeout_s):
                await self._indexes.of(partition, user)
        except TimeoutError:
            pass
        if (whole := self._indexes.whole(partition, user)) is not None:
            return whole
        vector = await self.vectors.query(text)
        return await self._indexes.widened(partition, user, vector=vector, text=text, seconds=self.scope_load_timeout_s)

    async def warm_up(self, *, seconds: float = WARM_SECONDS, share: float = WARM_SHARE) -> int:
        """How many scopes were loaded: those asked for last, for so long or until they fill that share of the cap."""
        loaded = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for partition, user in await self._ledger.traces.scopes(WARM_SCOPES):
                    if self._indexes.nbytes > share * self._indexes.max_bytes:
                        break
                    await self._indexes.of(partition, user)
                    loaded += 1
        await self.lists.fill()
        return loaded

    async def keep(self, memories: Sequence[Memory], *, across_sessions: Collection[str] = ()) -> list[Memory]:
        """What stands for each memory now: itself, or the one in force that said the same before, confirmed.

        That has to be of the same session, but for those whose ids are in ``across_sessions``.

        Once this returns, all of them are durable and other workers have been told.
        """
        # Side by side, so that the ledger commits their claims together.
        merged = await asyncio.gather(
            *(self._claims.merged(memory, across_sessions=memory.id in across_sessions) for memory in memories)
        )
        kept = [_counted(memory, self._count) for memory in merged]
        await self._put(kept)
        return kept

    async def get(self, partition: str, memory_id: str) -> Memory:
        """One memory of a partition. Raises NotFoundError for an unknown or a foreign id alike."""
        return (await _entry(self.store, partition, memory_id)).memory

    async def entries(self, partition: str, ids: Sequence[str]) -> list[Memory]:
        """The memories of a partition with these ids; unknown and foreign ones are left out."""
        return [entry.memory for entry in await self.store.get(partition, ids)]

    async def all(self, partition: str, user: str | None) -> list[Memory]:
        """All memories of a user, or of a whole partition, newest first."""
        found = [memory async for page in self.pages(partition, user) for memory in page]
        return sorted(found, key=lambda m: (m.created, m.id), reverse=True)

    async def pages(self, partition: str, user: str | None = None) -> AsyncIterator[list[Memory]]:
        """All memories of a user, or of a whole partition, a page at a time, in no order that means anything."""
        async for page in self.store.pages(partition, user, vectors=False):
            yield [entry.memory for entry in page]

    async def correct(self, partition: str, memory_id: str, corrected: Callable[[Memory], Memory]) -> Memory:
        """The memory as ``corrected`` made it, once that is durable; its id and its user stay.

        ``corrected`` may be called twice: what changes while a new text is embedded is kept. Raises NotFoundError for
        an unknown or a foreign id alike, and when the memory is forgotten meanwhile, which stays so.
        """
        before = await _entry(self.store, partition, memory_id)
        after = corrected(before.memory)
        text, vector = before.memory.text, before.vector
        if after.text != text:
            await self._ledger.erasures.corrected(after.namespace)
            text = after.text
            [vector] = await self.vectors.documents([text])
            before = await _entry(self.store, partition, memory_id)
            after = corrected(before.memory)
        after = _counted(after, self._count)
        await self._claims.move(after)
        await self._write(self.store.amend([(before, Entry(after, vector if after.text == text else None))]), [after])
        if not await self.store.get(partition, [memory_id]):
            # Whoever forgets it later takes the claim out after the deletion.
            await self._ledger.deleted([(after.namespace, memory_id)])
            raise NotFoundError(UNKNOWN)
        return after

    async def restore(self, memories: Sequence[Memory]) -> int:
        """How many of these memories were kept as they are: those whose id, or whose text in force, is not here yet."""
        now = datetime.now(UTC)
        known: set[str] = set()
        for partition in {memory.partition for memory in memories}:
            known |= {entry.memory.id for entry in await self.store.get(partition, [m.id for m in memories])}
        # Of those with one id, and of those in force that say the same, the first.
        once = {memory.id: memory for memory in reversed(memories) if memory.id not in known}
        said = self._claims.one_each(list(once.values()), now)
        # Side by side, so that the ledger commits their claims together.
        firsts = await asyncio.gather(*(self._claims.is_first(memory, now) for memory in said))
        kept = [memory for memory, first in zip(said, firsts, strict=True) if first]
        new = [_counted(memory, self._count) for memory in reversed(kept)]
        await self._put(new)
        return len(new)

    async def forget(self, partition: str, memory_id: str) -> None:
        """Deletes one memory. Raises NotFoundError for an unknown or a foreign id alike."""
        await self.forget_all([await self.get(partition, memory_id)])

    async def forget_all(self, memories: Sequence[Memory]) -> None:
        """Deletes memories; those that are gone already are passed over."""
        pairs = [(memory.namespace, memory.id) for memory in memories]
        # First, so that a deletion that breaks off leaves nothing in blocks that no memory leads to any more, and
        # nothing for a model to find again.
        await self._ledger.forget(pairs)
        await self._ledger.model_queue.done(*(memory.message for memory in memories if memory.message is not None))
        for partition in {memory.partition for memory in memories}:
            await self.store.delete(partition, [memory.id for memory in memories if memory.partition == partition])
        await self._ledger.deleted(pairs)
        await self._indexes.refresh(pairs)

    async def follow(self) -> None:
        """Brings into RAM what other workers wrote since the last call."""
        changed = await self._ledger.changes.since(self._newest_change)
        if changed:
            others = [(namespace, memory) for seq, namespace, memory in changed if seq not in self._told]
            await self._indexes.refresh(others)
            self._newest_change = changed[-1][0]
            self._told = {seq for seq in self._told if seq > self._newest_change}

    async def embed_missing(self) -> int:
        """How many memories in use got the vector that they were kept without."""
        if not self.vectors.available:
            return 0
        missing = self._indexes.unembedded(EMBEDDED_AT_ONCE, without=self._refused)
        vectors = await self.vectors.documents([memory.text for memory in missing])
        if self.vectors.failing:
            return 0
        made = {memory.id: (memory.text, vector) for memory, vector in zip(missing, vectors, strict=True)}
        self._refused |= {memory_id for memory_id, (_, vector) in made.items() if vector is None}
        changes: list[tuple[Entry, Entry]] = []
        for partition in {memory.partition for memory in missing}:
            # Read again: a model may take its time, and the memory may have changed or gone meanwhile.
            for entry in await self.store.get(partition, list(made)):
                text, vector = made[entry.memory.id]
                if entry.vector is None and entry.memory.text == text and vector is not None:
                    changes.append((entry, Entry(entry.memory, vector)))
        if changes:
            await self._write(self.store.amend(changes), [entry.memory for entry, _ in changes])
        return len(changes)

    async def _put(self, memories: Sequence[Memory]) -> None:
        if memories:
            vectors = await self.vectors.documents([memory.text for memory in memories])
            entries = [Entry(memory, vector) for memory, vector in zip(memories, vectors, strict=True)]
            await self._ledger.listing.announce(memories)
            await self._write(self.store.put(entries), memories)

    async def _write(self, writing: Awaitable[None], memories: Sequence[Memory]) -> None:
        """Waits for the store to write these memories, brings them into RAM and tells the other workers."""
        for partition in {memory.partition for memory in memories}:
            self._ledger.partitions.note(partition)
        changed = [(memory.namespace, memory.id) for memory in memories]
        written = False
        try:
            await writing
            # Before the ledger: what the store shows, the next question finds.
            await self._indexes.refresh(changed)
            written = True
        finally:
            if not written:
                # What failed may be written all the same, so the others look at it.
                await self._ledger.changes.publish(changed)
        told = await self._ledger.listing.changed(memories)
        self._told.update(told)


async def _entry(store: Store, partition: str, memory_id: str) -> Entry:
    found = await store.get(partition, [memory_id])
    if not found:
        raise NotFoundError(UNKNOWN)
    return found[0]


def _counted(memory: Memory, count: Count) -> Memory:
    return replace(memory, tokens=count(shown(memory)))
