"""Memory for one proxy worker, assembled once from Settings."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from litellm_memory import meaning
from litellm_memory.care.erasure import Erasure
from litellm_memory.embedding import Embedders
from litellm_memory.engine.health import Health
from litellm_memory.engine.housekeeping import Housekeeping
from litellm_memory.engine.keeping import Keeping, KeepingHere
from litellm_memory.engine.search_work import tune
from litellm_memory.engine.searching import RecallElsewhere, Searching
from litellm_memory.engine.work import KeepersModels, Work
from litellm_memory.engine.workers_models import answer, known_at_once
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger import Ledger, LedgerError
from litellm_memory.memories import Count, Memories
from litellm_memory.memories.breaker import Breaker
from litellm_memory.memories.recall import Recall
from litellm_memory.redact import Redactor
from litellm_memory.request.accept import Acceptor
from litellm_memory.request.after import After
from litellm_memory.request.background import Background
from litellm_memory.request.before import Before
from litellm_memory.request.blocks import Blocks
from litellm_memory.request.finding import Finder
from litellm_memory.request.noticing import Noticing
from litellm_memory.request.reading import Reader
from litellm_memory.request.request import Request
from litellm_memory.settings import Settings


class Engine:
    """Memory for one proxy worker: ``before`` and ``after`` a call, and the background work.

    Call ``open`` from the worker's event loop. The constructor is quick and synchronous, so that no message is lost
    from then on. When the ledger cannot be opened, ``health`` says so, and ``open`` retries. ``models`` are needed for
    an embedder other than the local one, and for learning by model. ``alone``: it searches by itself, whatever the
    settings say. Raises SettingsError.
    """

    def __init__(
        self, settings: Settings, *, count: Count, models: KeepersModels | None = None, alone: bool = True
    ) -> None:
        self.settings = settings
        self._apart = settings.recall.process and not alone and sys.platform != "win32"
        self.health = Health()
        self.ledger = Ledger(settings.ledger_url)
        with suppress(LedgerError):
            self.ledger.connect()
        self.embedders = Embedders(settings, models)
        self.memories = Memories(
            self.ledger, count=count, changed=self._tell_search, searched=not self._apart, away=self.health.away
        )
        self._recall = Recall(self.memories, self.ledger.paths)
        self.recall: Recall | RecallElsewhere = self._recall
        self.journal = Journal(settings.data_dir, self.ledger)
        self.ledger.drop_block = self.journal.blocks.drop
        self.erasure = Erasure(self.ledger, self.memories, settings.data_dir)
        self._models = models
        self._answer = partial(answer, models) if models is not None else None
        self._background = Background()
        self._assemble(count)
        self.use(settings)

    def _assemble(self, count: Count) -> None:
        """Builds the path of a request, and the housekeeping. Both look up the current settings each time."""
        ledger, memories = self.ledger, self.memories

        def settings() -> Settings:
            return self.settings

        def redactor() -> Redactor:
            return self.redactor

        self._housekeeping = Housekeeping(
            settings, ledger, memories, self.embedders, self.health, self.journal, searches=not self._apart
        )
        self._keeping = self._keeper(settings, count)
        ledger.caught_up, memories.under_way.elsewhere = self._keeping.caught_up, self._keeping.settled
        acceptor = Acceptor(settings, redactor, ledger, self.journal, self._background)
        data_dir = self.settings.data_dir
        self._searching = Searching(data_dir, settings, self.health, self._answer) if self._apart else None
        if self._searching is not None:
            self.recall = RecallElsewhere(self._searching, memories)
        breaker = self._breaker = Breaker("ledger", ledger.ping, away=self.health.away)
        blocks = Blocks(settings, self.journal, self._searching or Finder(redactor, self._recall), breaker)
        self.after = After(redactor, self.journal, self._background)
        reader = Reader(settings, ledger, self.journal, breaker, self.after.noted)
        notice = Noticing(settings, redactor, ledger, self.journal)
        self.before = Before(settings, self.journal, notice, reader, acceptor, blocks)

    def _keeper(self, settings: Callable[[], Settings], count: Count) -> Keeping | KeepingHere:
        if sys.platform != "win32":
            changed = self._housekeeping.changed
            return Keeping(self.settings.data_dir, settings, self.health, self._answer, changed)
        work = partial(Work, models=self._models, count=count, named=known_at_once, changed=self._tell_search)
        return KeepingHere(settings, self.health, work)

    def use(self, settings: Settings) -> None:
        """Applies new settings; ``store``, ``ledger`` and others that need a restart have no effect here."""
        self.settings = settings
        self.redactor = self.embedders.redactor = Redactor.of(settings.learn)
        meaning.use(wanted=settings.learn.meaning)
        tune(self.memories, settings)
        if self._background.runs:
            for process in self._processes:
                self.spawn(process.configure())

    async def _tell_search(self) -> None:
        """What this worker changed is not recalled as it was by anybody of this host from now on."""
        if self._searching is not None:
            await self._searching.follow()

    async def ahead(self, request: Request) -> None:
        """Begins the search of a request that is likely to come ``before``, verified for the caller that it names.

        Not for an embedding model that somebody pays for. Raises LiteLLMMemoryError.
        """
        if self._searching is None or self.settings.embedding.model != "local":
            return
        if (question := await self.before.question(request)) is not None:
            self._searching.ahead(question)

    @property
    def _processes(self) -> list[Keeping | KeepingHere | Searching]:
        return [self._keeping, *([self._searching] if self._searching else [])]

    def open(self) -> None:
        """Starts opening ledger and store and, once they are open, learning. Does not wait."""
        self.spawn(self._run())

    async def open_data(self) -> None:
        """Opens ledger and store, once. Raises LiteLLMMemoryError with what to do when one of them cannot be opened."""
        await self._housekeeping.open_data()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs ``work`` in the background until it ends or the engine closes."""
        return self._background.spawn(work)

    async def aclose(self) -> None:
        """Cancels background work, commits pending writes and closes; unlearned exchanges stay in the journal."""
        await self.after.aclose()
        await self._background.aclose()
        await self._breaker.aclose()
        for process in self._processes:
            await process.aclose()
        self.journal.close()
        await self.ledger.aclose()
        await self.memories.aclose()
        self._recall.close()
        self.embedders.close()

    async def _run(self) -> None:
        if self.settings.store.mode != "embedded":
            # What is said while the store is away is taken over all the same.
            self._background.keep(self._keeping.run)
        await self._housekeeping.open_ledger_with_retries()
        self._background.keep(self.ledger.people.switches.run)
        if self._searching is not None:
            await self._searching.begin()
            self._background.keep(self._searching.run)
        await self._housekeeping.open_with_retries()
        if self.settings.store.mode == "embedded":
            # Only now: the store has started the owner, which is the keeper, and two that start lose time.
            self._background.keep(self._keeping.run)
        if self._searching is None:
            self.spawn(self._housekeeping.warm_up())
        self._background.keep(self.erasure.run)
        self._background.keep(self._housekeeping.run)
