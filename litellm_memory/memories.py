"""The memories of all scopes: written to the store, to RAM and to the other workers' notice in one place."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from litellm_memory.embedding import Embedder, LocalModel, memory_vectors
from litellm_memory.errors import LiteLLMMemoryError, NotFoundError, StoreError
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.index.scopes import ScopeIndexes
from litellm_memory.ledger import Ledger
from litellm_memory.models import CONFIRMED, Memory
from litellm_memory.render import shown
from litellm_memory.store import Entry, Store
from litellm_memory.text.words import same_text

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Count = Callable[[str], int]

UNKNOWN = "There is no memory with this id."
EMBEDDED_AT_ONCE = 64
PAUSE_SECONDS = 5.0
"""After the model failed, what was kept without a vector waits this long for the next attempt."""
WARM_SCOPES = 200
WARM_SECONDS = 20.0
WARM_SHARE = 0.5
USES_AT_ONCE = 32
"""Most memories whose uses are written down at once: the store answers no other call meanwhile."""


class Memories:
    """Keeps, finds and forgets memories. The store is the truth; RAM and the ledger follow it."""

    def __init__(self, ledger: Ledger, *, count: Count) -> None:
        self.patience = 0.1
        """Seconds that a query waits for its vector; words decide after that."""
        self.glance = 0.05
        """Seconds that a query waits for a scope that is being loaded."""
        self._ledger = ledger
        self._embedder: Embedder | None = None
        self._model_fails = False
        self._embeds_again = 0.0
        self._refused: set[str] = set()
        """Ids of memories whose text the embedder does not take."""
        self._count = count
        self._store: Store | None = None
        self._indexes = ScopeIndexes(lambda: self.store)
        self._newest_change = 0
        self._told: set[int] = set()
        """Numbers of changes that this worker made, and that are in its RAM."""
        self._uses: Counter[str] = Counter()

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
        self._newest_change, self._store, self._embedder = newest, store, embedder
        self._refused.clear()

    async def aclose(self) -> None:
        """Closes the store."""
        await self._indexes.aclose()
        if self._store is not None:
            await self._store.aclose()

    async def index(self, partition: str, user: str) -> ScopeIndex:
        """All memories of one user, once they are in RAM; of a scope too large for that, the newest."""
        return await self._indexes.of(partition, user)

    async def searched(self, partition: str, user: str, text: str) -> ScopeIndex:
        """What the hot path searches for ``text``: all memories of one user, if they are in RAM within ``glance``.

        Otherwise what is there of them, widened by what the store finds by vector and by words.
        """
        if (whole := self._indexes.whole(partition, user)) is not None:
            return whole
        try:
            async with asyncio.timeout(self.glance):
                await self._indexes.of(partition, user)
        except TimeoutError:
            pass
        if (whole := self._indexes.whole(partition, user)) is not None:
            return whole
        vector = await self.query_vector(text)
        return await self._indexes.widened(partition, user, vector=vector, text=text, seconds=self.glance)

    async def warm_up(self, *, seconds: float = WARM_SECONDS, share: float = WARM_SHARE) -> int:
        """How many scopes were loaded: those asked for last, for so long or until they fill that share of the cap."""
        loaded = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for partition, user in await self._ledger.traces.scopes(WARM_SCOPES):
                    if self._indexes.weight > share * self._indexes.max_bytes:
                        break
                    await self._indexes.of(partition, user)
                    loaded += 1
        return loaded

    @property
    def reads_any_language(self) -> bool:
        """False for the local model: what is not English looks much alike to it."""
        return self._embedder is not None and not isinstance(self._embedder, LocalModel)

    async def query_vector(self, text: str) -> Floats | None:
        """The vector of what is searched for; None when there is no model, or it failed or is late."""
        if self._embedder is None:
            return None
        try:
            async with asyncio.timeout(self.patience):
                vector = await self._embedder.query(text)
        except TimeoutError:
            return None
        except Exception as error:
            self._failed(error)
            return None
        self._model_fails = self._model_fails and vector is None
        return vector

    async def vectors(self, texts: Sequence[str]) -> list[Floats | None]:
        """A vector a memory's text; Nones when there is no model or it failed: ``embed_missing`` tries again."""
        if self._embedder is None or not texts:
            return [None] * len(texts)
        try:
            vectors = await memory_vectors(self._embedder, texts)
        except Exception as error:
            self._failed(error)
            return [None] * len(texts)
        self._model_fails = False
        return vectors

    def _failed(self, error: Exception) -> None:
        """Notes that the model failed. Words find most of what vectors find: it must not cost a request its memory."""
        if not self._model_fails:
            reason = str(error) if isinstance(error, LiteLLMMemoryError) else type(error).__name__
            logger.warning("The embedding model failed, so words alone are searched: %s", reason)
        self._model_fails = True
        self._embeds_again = time.monotonic() + PAUSE_SECONDS

    async def keep(self, memories: Sequence[Memory], *, across_sessions: Collection[str] = ()) -> list[Memory]:
        """What stands for each memory now: itself, or the one in force that said the same before, confirmed.

        That has to be of the same session, but for those whose ids are in ``across_sessions``.

        Once this returns, all of them are durable and other workers have been told.
        """
        # Side by side, so that the ledger commits their claims together.
        kept = await asyncio.gather(*(self._merged(memory, memory.id in across_sessions) for memory in memories))
        if kept:
            vectors = await self.vectors([memory.text for memory in kept])
            await self._put([Entry(memory, vector) for memory, vector in zip(kept, vectors, strict=True)])
        return kept

    async def get(self, partition: str, memory_id: str) -> Memory:
        """One memory of a partition. Raises NotFoundError for an unknown or a foreign id alike."""
        return (await self._entry(partition, memory_id)).memory

    async def entries(self, partition: str, ids: Sequence[str]) -> list[Memory]:
        """The memories of a partition with these ids; unknown and foreign ones are left out."""
        return [entry.memory for entry in await self.store.get(partition, ids)]

    async def all(self, partition: str, user: str | None) -> list[Memory]:
        """All memories of a user, or of a whole partition, newest first."""
        entries = await self.store.load(partition, user)
        return sorted((entry.memory for entry in entries), key=lambda m: (m.created, m.id), reverse=True)

    async def pages(self, partition: str, user: str | None = None) -> AsyncIterator[list[Memory]]:
        """All memories of a user, or of a whole partition, a page at a time, in no order that means anything."""
        async for page in self.store.pages(partition, user):
            yield [entry.memory for entry in page]

    async def correct(self, partition: str, memory_id: str, corrected: Callable[[Memory], Memory]) -> Memory:
        """The memory as ``corrected`` made it, once that is durable; its id and its user stay.

        ``corrected`` may be called twice: what changes while a new text is embedded is kept. Raises NotFoundError for
        an unknown or a foreign id alike, and when the memory is forgotten meanwhile, which stays so.
        """
        before = await self._entry(partition, memory_id)
        after = corrected(before.memory)
        text, vector = before.memory.text, before.vector
        if after.text != text:
            await self._ledger.erasures.corrected(after.namespace)
            text = after.text
            [vector] = await self.vectors([text])
            before = await self._entry(partition, memory_id)
            after = corrected(before.memory)
        after = replace(after, tokens=self._count(shown(after)))
        await self._ledger.texts.move(self._text_mark(after), memory_id, namespace=after.namespace)
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
        said = {self._text_mark(memory) if memory.in_force(now) else memory.id: memory for memory in once.values()}
        # Side by side, so that the ledger commits their claims together.
        firsts = await asyncio.gather(*(self._is_first(memory, now) for memory in said.values()))
        kept = [memory for memory, first in zip(said.values(), firsts, strict=True) if first]
        new = [replace(memory, tokens=self._count(shown(memory))) for memory in reversed(kept)]
        vectors = await self.vectors([memory.text for memory in new])
        await self._put([Entry(memory, vector) for memory, vector in zip(new, vectors, strict=True)])
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
        if self._embedder is None or time.monotonic() < self._embeds_again:
            return 0
        missing = self._indexes.unembedded(EMBEDDED_AT_ONCE, without=self._refused)
        vectors = await self.vectors([memory.text for memory in missing])
        if self._model_fails:
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

    def used(self, memories: Iterable[str]) -> None:
        """Notes one use of each of these memories; ``count_uses`` writes it down."""
        self._uses.update(memories)

    async def count_uses(self) -> None:
        """Writes down the uses of the memories noted first; those of others, and what fails, wait and add up."""
        uses = {memory: self._uses.pop(memory) for memory in list(islice(self._uses, USES_AT_ONCE))}
        if not uses:
            return
        try:
            await self.store.touch(uses, datetime.now(UTC))
        except StoreError:
            self._uses.update(uses)
            raise

    async def _merged(self, memory: Memory, across_sessions: bool) -> Memory:
        """``memory`` with its tokens counted, or the memory in force that says the same in the same scope."""
        mark = self._text_mark(replace(memory, session=None) if across_sessions else memory)
        holder = await self._ledger.texts.claim(mark, memory.id, namespace=memory.namespace)
        fresh = replace(memory, id=holder, tokens=self._count(shown(memory)))
        if holder == memory.id:
            return fresh
        before = await self.store.get(memory.partition, [holder])
        if not before or not before[0].memory.in_force(memory.created):
            return fresh
        known = before[0].memory
        return replace(
            known,
            confidence=min(1.0, known.confidence + CONFIRMED),
            tags=tuple(dict.fromkeys((*known.tags, *memory.tags))),
        )

    async def _is_first(self, memory: Memory, now: datetime) -> bool:
        """True when no other memory in force says the same in the same scope; what is not in force says nothing."""
        if not memory.in_force(now):
            return True
        holder = await self._ledger.texts.claim(self._text_mark(memory), memory.id, namespace=memory.namespace)
        if holder == memory.id:
            return True
        found = await self.store.get(memory.partition, [holder])
        return not found or not found[0].memory.in_force(now)

    def _text_mark(self, memory: Memory) -> str:
        """A keyed hash of what a memory says, the same for what merges with it."""
        text = f"{memory.namespace}:{memory.project or ''}:{memory.session or ''}:{same_text(memory.text)}"
        return hmac.digest(self._ledger.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    async def _entry(self, partition: str, memory_id: str) -> Entry:
        found = await self.store.get(partition, [memory_id])
        if not found:
            raise NotFoundError(UNKNOWN)
        return found[0]

    async def _put(self, entries: Sequence[Entry]) -> None:
        await self._write(self.store.put(entries), [entry.memory for entry in entries])

    async def _write(self, writing: Awaitable[None], memories: Sequence[Memory]) -> None:
        """Waits for the store to write these memories, brings them into RAM and tells the other workers."""
        for partition in {memory.partition for memory in memories}:
            self._ledger.partitions.note(partition)
        changed = [(memory.namespace, memory.id) for memory in memories]
        try:
            # What fails here may be written all the same, so the others look at it in any case.
            await writing
            # Before the ledger: what the store shows, the next question finds.
            await self._indexes.refresh(changed)
        finally:
            told = await self._ledger.changes.publish(changed)
        self._told.update(told)
