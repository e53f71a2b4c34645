"""Moves a store to the embedder in the settings, while the old one serves: the work of ``reembed``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from litellm_memory.embedding import Embedder, Embedders, memory_vectors
from litellm_memory.errors import LiteLLMMemoryError, ModelCallError, StoreError
from litellm_memory.files.locks import open_lock, take_lock
from litellm_memory.settings import Settings
from litellm_memory.store import Store, open_known_store
from litellm_memory.store.collections import Vectors
from litellm_memory.store.moving import Move, remove_leftovers

FEW_CHANGES = 32
"""The switch comes after a round of copying with at most this many changes: those are concurrent writes."""
MOST_ROUNDS = 5
"""Rounds of copying after which the switch comes anyway: a busy store never has fewer changes."""
SETTLE_SECONDS = 8.0
"""Longer than any worker takes to notice that the store has moved."""
TRIES = 6
"""Attempts to embed one batch."""
FIRST_PAUSE_SECONDS = 2.0
"""Backoff after the first failed attempt; it doubles each time."""

Report = Callable[[str, int, int], None]
"""Called with the step, and how many of how many memories are done."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The result of a move. ``memories`` is 0 for equal embedders: there was nothing to do."""

    before: str
    after: str
    memories: int
    without_vector: int = 0


async def reembed(
    settings: Settings, embedders: Embedders, *, report: Report, settle_seconds: float = SETTLE_SECONDS
) -> Moved:
    """Moves the store to the embedder that ``settings`` name; resumable.

    Raises LiteLLMMemoryError when another process is doing so, there is no store, or the model does not answer.
    """
    with _alone(settings.data_dir):
        store = await open_known_store(settings.store, settings.data_dir)
        if store is None:
            raise StoreError("There is no store of memories yet, and so nothing to move.")
        try:
            return await _moved(store, embedders, report, settle_seconds)
        finally:
            await store.aclose()


async def _moved(store: Store, embedders: Embedders, report: Report, settle_seconds: float) -> Moved:
    wanted = embedders.identity
    if store.embedder == wanted:
        await remove_leftovers(store)
        return Moved(wanted, wanted, 0)
    embedder = await asyncio.to_thread(embedders.named)
    work = _Work(embedder, report, total=(await store.facts()).count)
    move = Move(store, embedder=wanted, dimension=await embedders.dimension(), embed=work.embed)
    await move.begin()
    for _ in range(MOST_ROUNDS):
        work.seen = 0
        if await move.copy(work.brought) <= FEW_CHANGES:
            break
    report("switching", work.seen, work.seen)
    await move.switch()
    await asyncio.sleep(settle_seconds)
    await move.finish()
    return Moved(store.embedder, wanted, work.seen, work.refused)


class _Work:
    """Embeds what is copied, with retries, and reports progress."""

    def __init__(self, embedder: Embedder, report: Report, *, total: int) -> None:
        self._embedder = embedder
        self._report = report
        self._total = total
        self.seen = 0
        self.refused = 0

    def brought(self, count: int) -> None:
        """Adds to the number of memories in the copy."""
        self.seen += count
        self._report("copying", self.seen, max(self.seen, self._total))

    async def embed(self, texts: Sequence[str]) -> list[Vectors | None]:
        """A vector per text; a failing model is retried with backoff. Raises the last error."""
        pause = FIRST_PAUSE_SECONDS
        for left in reversed(range(TRIES)):
            try:
                vectors = await memory_vectors(self._embedder, texts)
            except ModelCallError:
                if not left:
                    raise
                self._report("waiting for the model", self.seen, self._total)
                await asyncio.sleep(pause)
                pause *= 2
            else:
                self.refused += sum(vector is None for vector in vectors)
                return vectors
        raise AssertionError("the last try returns or raises")


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Locks out a second move of the same data directory. Raises LiteLLMMemoryError."""
    try:
        lock = open_lock(data_dir / "reembed.lock")
    except OSError as error:
        raise StoreError(f"{data_dir} cannot be written: {error.strerror}.") from None
    with lock:
        if not take_lock(lock):
            raise LiteLLMMemoryError("Another `litellm-memory reembed` is at work here.")
        yield
