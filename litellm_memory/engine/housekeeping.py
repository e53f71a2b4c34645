"""Background upkeep: opening the data, following other workers, flushing to disk, pruning."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime

from litellm_memory.embedding import Embedders
from litellm_memory.engine.health import Health
from litellm_memory.errors import LiteLLMMemoryError, StoreError, StoreMovedError
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger import Ledger, LedgerError
from litellm_memory.memories import Memories
from litellm_memory.settings import Settings
from litellm_memory.store import Store, open_known_store, open_store

logger = logging.getLogger(__name__)

FOLLOW_SECONDS = 1.0
"""Polling interval: how often a worker looks for what other workers wrote."""
CHECK_EVERY = 5
"""A worker checks the store's health, and the keeper writes a few uses, every this many rounds."""
MANY_USES_EVERY = 20
"""The keeper writes a batch of uses every this many rounds while more than one batch waits."""
PRUNE_EVERY = 3600
"""The ledger is pruned every this many rounds: about once an hour."""
REOPEN_SECONDS = 2.0
"""Backoff between two attempts to open ledger and store."""


class Housekeeping:
    """Opens ledger and store, then does a round of upkeep every FOLLOW_SECONDS; reports failures in ``health``.

    ``journal`` is the worker's own; the keeper has none.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        ledger: Ledger,
        memories: Memories,
        embedders: Embedders,
        health: Health,
        journal: Journal | None = None,
        *,
        searches: bool = True,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._memories = memories
        self._embedders = embedders
        self._health = health
        self._journal = journal
        self._searches = searches
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Memories have changed: the next round begins at once, and a search waits for it."""
        self._memories.following.told()
        self._changed.set()

    async def open_with_retries(self) -> None:
        """Opens ledger and store, and retries until both are open."""
        while not self._health.opened:
            try:
                await self.open_data()
            except LiteLLMMemoryError as error:
                self._failed(error)
                await asyncio.sleep(REOPEN_SECONDS)

    async def open_ledger_with_retries(self) -> None:
        """Opens the ledger, and retries until it is open."""
        while True:
            try:
                await asyncio.to_thread(self._ledger.connect)
                return
            except LedgerError as error:
                self._failed(error)
                await asyncio.sleep(REOPEN_SECONDS)

    async def open_data(self) -> None:
        """Opens ledger and store, once. Raises LiteLLMMemoryError with what to do when one of them cannot be opened."""
        await asyncio.to_thread(self._ledger.connect)
        self._health.ledger = None
        place, data_dir = self._settings().store, self._settings().data_dir
        store = await open_known_store(place, data_dir)
        if store is None:
            dimension = await self._embedders.dimension()
            store = await open_store(place, data_dir, embedder=self._embedders.identity, dimension=dimension)
        async with AsyncExitStack() as unless_used:
            # An open store holds files or a process: close it also when this is cancelled.
            unless_used.push_async_callback(store.aclose)
            if place.mode == "embedded":
                await self._ledger.facts.expect_store(store.id)
            await self._use(store)
            unless_used.pop_all()
        self._health.opened, self._health.store = True, None

    async def warm_up(self) -> None:
        """Loads the most recently used scopes into RAM."""
        with suppress(LiteLLMMemoryError):
            logger.debug("%d scopes were loaded at start.", await self._memories.warm_up())

    async def run(self) -> None:
        """A worker's rounds, until cancelled. A failure is reported in ``health`` and retried in the next round."""
        await self._run(self._round)

    async def keep(self) -> None:
        """The keeper's rounds, until cancelled: all that one process of a host does for the others."""
        await self._run(self._keepers_round)

    async def _run(self, work: Callable[[int], Awaitable[None]]) -> None:
        for round_ in itertools.count():
            self._changed.clear()
            try:
                await work(round_)
                self._health.store, self._health.ledger = None, self._trouble()
            except StoreMovedError:
                await self._use(await self._memories.store.reopened())
            except (StoreError, LedgerError) as error:
                self._failed(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await self._changed.wait()

    def _trouble(self) -> str | None:
        return self._ledger.trouble or (self._journal.trouble if self._journal else None)

    async def _round(self, round_: int) -> None:
        if self._journal is not None:
            await self._journal.tend()
        await self._memories.follow()
        await self._memories.embed_missing()
        if round_ % CHECK_EVERY == 0 or self._health.store is not None:
            self._memories.lists.begin_fill()
            await self._memories.store.health()

    async def _keepers_round(self, round_: int) -> None:
        await self._memories.follow()
        self._ledger.calls.flush()
        # Where many wait, most are used again before they are written: seldom is cheaper.
        if round_ % (CHECK_EVERY if self._memories.uses.are_few else MANY_USES_EVERY) == 0:
            await self._memories.uses.write()
        if round_ % PRUNE_EVERY == 0:
            settings, now = self._settings(), datetime.now(UTC)
            self._ledger.traces.prune(now, days=settings.traces.keep_days, most=settings.traces.max_count)
            await self._ledger.prune(now, calls_days=settings.usage.keep_days)

    async def _use(self, store: Store) -> None:
        """Switches to ``store``, with the embedder that made its vectors where that is available."""
        embedder = await asyncio.to_thread(self._embedders.of, store.embedder)
        self._health.model = await asyncio.to_thread(self._embedders.problem, store.embedder)
        await self._memories.use(store, embedder)
        if self._searches:
            await self._memories.vectors.warm_up()

    def _failed(self, error: LiteLLMMemoryError) -> None:
        part = "ledger" if isinstance(error, LedgerError) else "store"
        if getattr(self._health, part) != str(error):
            logger.error("%s", error)
        setattr(self._health, part, str(error))
