"""Keeping, correcting and forgetting memories: first the store, then RAM, then a notice to the other workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from litellm_memory.embedding import Embedder
from litellm_memory.errors import NotFoundError, StoreError
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.index.scopes import ScopeIndexes
from litellm_memory.ledger import Ledger
from litellm_memory.memories.breaker import Breaker
from litellm_memory.memories.claims import TextClaims
from litellm_memory.memories.following import Following
from litellm_memory.memories.lists import MemoryLists
from litellm_memory.memories.under_way import UnderWay
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
    """Keeps, finds and forgets memories. The store is the truth; RAM and the ledger follow it.

    ``changed`` is awaited after each change that this process made, once other processes can read it. ``searched``:
    False for a process that searches none of them, which keeps no vectors in RAM. ``away`` is told when queries go on
    without the store.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        count: Count,
        changed: Callable[[], Awaitable[None]] | None = None,
        searched: bool = True,
        away: MutableMapping[str, str] | None = None,
    ) -> None:
        self.scope_load_timeout_s = 0.05
        """How long a query waits for a scope that is loading."""
        self.vectors = MemoryVectors()
        self.under_way = UnderWay()
        self.lists = MemoryLists(ledger, lambda: self.store, self.under_way.settled)
        self.uses = Uses(lambda: self.store)
        self._ledger = ledger
        self._refused: set[str] = set()
        """Ids of memories whose text the embedder refuses."""
        self._count = count
        self._changed = changed or _nobody_is_told
        self._store: Store | None = None
        self._claims = TextClaims(ledger, lambda: self.store)
        self._make_indexes = partial(ScopeIndexes, lambda: self.store, searched=searched)
        self._indexes = self._make_indexes()
        self._breaker = Breaker("store", lambda: self.store.health(), away={} if away is None else away)
        self.following = Following(ledger, lambda: self._indexes)

    @property
    def store(self) -> Store:
        """The open store. Raises StoreError while there is none."""
        if self._store is None:
            raise StoreError("The store of memories is not open yet.")
        return self._store

    async def use(self, store: Store, embedder: Embedder | None) -> None:
        """Switches to ``store``, with ``embedder`` to make its vectors; None: recall goes by words alone."""
        await self.following.begin()
        await self._indexes.aclose()
        self._indexes = self._make_indexes()
        self._store = store
        self.vectors.use(embedder)
        self._refused.clear()

    async def aclose(self) -> None:
        """Closes the store."""
        await self._breaker.aclose()
        await self.lists.aclose()
        await self._indexes.aclose()
        if self._store is not None:
            await self._store.aclose()

    async def index(self, partition: str, user: str) -> ScopeIndex:
        """All memories of one user, once loaded; of a scope too large for RAM, the newest."""
        return await self._indexes.load(partition, user)

    async def index_for_query(self, partition: str, user: str, text: str) -> ScopeIndex:
        """The index that the hot path searches for ``text``: all memories of one user, if loaded in time.

        What other processes are known to have changed is read first, if in time.

        Otherwise, after ``scope_load_timeout_s``, the loaded part plus what the store finds by vector and by words.
        Raises AwayError at once for a scope that is not loaded while the store is away.
        """
        await self.following.current(self.scope_load_timeout_s)
        if (whole := self._indexes.complete(partition, user)) is not None:
            return whole
        with self._breaker.watch():
            with suppress(TimeoutError):
                async with asyncio.timeout(self.scope_load_timeout_s):
                    await self._indexes.load(partition, user)
            if (whole := self._indexes.complete_or_start_load(partition, user)) is not None:
                return whole
            vector = await self.vectors.query(text)
            return await self._indexes.add_from_store(
                partition, user, vector=vector, text=text, seconds=self.scope_load_timeout_s
            )

    async def warm_up(self, *, seconds: float = WARM_SECONDS, share: float = WARM_SHARE) -> int:
        """Loads the most recently used scopes for at most ``seconds`` or ``share`` of the cache; returns how many."""
        loaded = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for partition, user in await self._ledger.traces.scopes(WARM_SCOPES):
                    if self._indexes.nbytes > share * self._indexes.max_bytes:
                        break
                    await self._indexes.load(partition, user)
                    loaded += 1
        await self.lists.fill()
        return loaded

    async def keep(self, memories: Sequence[Memory], *, across_sessions: Collection[str] = ()) -> list[Memory]:
        """Stores memories and returns each as kept: itself, or the existing one with the same text, confirmed.

        Only memories of the same session merge, except those whose ids are in ``across_sessions``.

        Once this returns, all of them are durable and other workers are notified.
        """
        # Concurrently, so that the ledger commits their claims in one batch.
        merged = await asyncio.gather(
            *(self._claims.merged(memory, across_sessions=memory.id in across_sessions) for memory in memories)
        )
        kept = [_counted(memory, self._count) for memory in merged]
        await self._put(kept)
        return kept

    async def get(self, partition: str, memory_id: str) -> Memory:
        """One memory of a partition. Raises NotFoundError for an id that is unknown or in another partition."""
        return (await _entry(self.store, partition, memory_id)).memory

    async def entries(self, partition: str, ids: Sequence[str]) -> list[Memory]:
        """The memories of a partition with these ids; ids that are unknown or elsewhere are skipped."""
        return [entry.memory for entry in await self.store.get(partition, ids, vectors=False)]

    async def all(self, partition: str, user: str | None) -> list[Memory]:
        """All memories of a user, or of a whole partition, newest first."""
        found = [memory async for page in self.pages(partition, user) for memory in page]
        return sorted(found, key=lambda m: (m.created, m.id), reverse=True)

    async def pages(self, partition: str, user: str | None = None) -> AsyncIterator[list[Memory]]:
        """All memories of a user, or of a whole partition, in pages and in no particular order."""
        async for page in self.store.pages(partition, user, vectors=False):
            yield [entry.memory for entry in page]

    async def correct(self, partition: str, memory_id: str, corrected: Callable[[Memory], Memory]) -> Memory:
        """The memory as changed by ``corrected``, once that is durable; its id and its user stay.

        ``corrected`` may be called twice, so that changes made while a new text is embedded are not lost. Raises
        NotFoundError for an id that is unknown or in another partition, and when the memory is deleted meanwhile.
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
            # It was deleted meanwhile: delete the claim that was just moved.
            await self._ledger.deleted([(after.namespace, memory_id)])
            raise NotFoundError(UNKNOWN)
        return after

    async def restore(self, memories: Sequence[Memory], *, dry: bool = False) -> int:
        """Stores memories unchanged and returns how many; skips those whose id, or text in force, is already here.

        ``dry``: stores nothing, and looks at ids alone, so that a text that is here by another id counts as new.
        """
        now = datetime.now(UTC)
        known: set[str] = set()
        for partition in {memory.partition for memory in memories}:
            known |= {entry.memory.id for entry in await self.store.get(partition, [m.id for m in memories])}
        if dry:
            return len({memory.id for memory in memories} - known)
        # Of those with the same id, and of those in force with the same text, the first.
        once = {memory.id: memory for memory in reversed(memories) if memory.id not in known}
        said = self._claims.one_each(list(once.values()), now)
        # Concurrently, so that the ledger commits their claims in one batch.
        firsts = await asyncio.gather(*(self._claims.is_first(memory, now) for memory in said))
        kept = [memory for memory, first in zip(said, firsts, strict=True) if first]
        new = [_counted(memory, self._count) for memory in reversed(kept)]
        await self._put(new)
        return len(new)

    async def forget(self, partition: str, memory_id: str) -> None:
        """Deletes one memory. Raises NotFoundError for an id that is unknown or in another partition."""
        await self.forget_all([await self.get(partition, memory_id)])

    async def forget_all(self, memories: Sequence[Memory]) -> None:
        """Deletes memories, and what waits of them before a curator. Idempotent: what is gone already is skipped."""
        memories = [*memories, *await _proposed(self._ledger, self.store, memories)]
        pairs = [(memory.namespace, memory.id) for memory in memories]
        # The ledger goes first: an interrupted deletion must not leave text in blocks whose memory is gone, nor
        # messages from which a model would learn the memory again.
        await self._ledger.forget(pairs)
        messages = [memory.message for memory in memories if memory.message is not None]
        await self._ledger.model_queue.done(*messages)
        await self._ledger.sayings.forgot(messages)
        for partition in {memory.partition for memory in memories}:
            await self.store.delete(partition, [memory.id for memory in memories if memory.partition == partition])
        # Proposed meanwhile; whoever proposes from now on finds the original gone.
        if late := await _proposed(self._ledger, self.store, memories):
            await self.forget_all(late)
        await self._ledger.deleted(pairs)
        await self._indexes.refresh(pairs)
        await self._changed()

    async def follow(self) -> None:
        """Loads into RAM what other workers wrote since the last call."""
        await self.following.read()

    async def embed_missing(self) -> int:
        """Embeds a batch of cached memories that have no vector yet; returns how many."""
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
            # Read again: embedding may take long, and the memory may have been changed or deleted meanwhile.
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
        """Waits for the store to write these memories, loads them into RAM and notifies the other workers."""
        changed = [(memory.namespace, memory.id) for memory in memories]
        with self.under_way.one():
            for partition in {memory.partition for memory in memories}:
                self._ledger.partitions.note(partition)
            written = False
            try:
                await writing
                # Before the ledger, so that the next query finds what the store lists.
                await self._indexes.refresh(changed)
                written = True
            finally:
                if not written:
                    # A failed write may still have reached the store, so the other workers must reload.
                    await self._ledger.changes.publish(changed)
            self.following.skip(await self._ledger.listing.changed(memories))
            await self._changed()


async def _proposed(ledger: Ledger, store: Store, memories: Sequence[Memory]) -> list[Memory]:
    """What waits of these memories in layers."""
    waiting = await ledger.people.proposals.of([memory.id for memory in memories])
    return [entry.memory for layer, one in waiting for entry in await store.get(layer, [one])]


async def _entry(store: Store, partition: str, memory_id: str) -> Entry:
    found = await store.get(partition, [memory_id])
    if not found:
        raise NotFoundError(UNKNOWN)
    return found[0]


def _counted(memory: Memory, count: Count) -> Memory:
    return replace(memory, tokens=count(shown(memory)))


async def _nobody_is_told() -> None:
    """Nobody else has these memories in RAM."""
