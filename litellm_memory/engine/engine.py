"""Memory for one proxy worker, assembled once from Settings."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from litellm_memory.care.erasure import Erasure
from litellm_memory.care.retention import Retention
from litellm_memory.embedding import Embedders, EmbeddingModels
from litellm_memory.engine.health import Health
from litellm_memory.engine.housekeeping import Housekeeping
from litellm_memory.learn.by_model import ChatModels, ModelLearner
from litellm_memory.learn.learner import Learner
from litellm_memory.ledger import Ledger, LedgerError
from litellm_memory.memories import Count, Memories
from litellm_memory.memories.recall import Recall
from litellm_memory.redact import Redactor
from litellm_memory.request.accept import Acceptor
from litellm_memory.request.after import After
from litellm_memory.request.background import Background
from litellm_memory.request.before import Before
from litellm_memory.request.blocks import Blocks
from litellm_memory.request.reading import Reader
from litellm_memory.settings import Settings


class CallableModels(EmbeddingModels, ChatModels, Protocol):
    """The models that LiteLLM can call."""


class Engine:
    """Memory for one proxy worker: ``before`` and ``after`` a call, and the background work.

    Call ``open`` from the worker's event loop. The constructor is quick and synchronous, so that no message is lost
    from then on. When the ledger cannot be opened, ``health`` says so, and ``open`` retries. ``models`` are needed for
    an embedder other than the local one, and for learning by model. Raises SettingsError.
    """

    def __init__(self, settings: Settings, *, count: Count, models: CallableModels | None = None) -> None:
        self.settings = settings
        self.health = Health()
        self.ledger = Ledger(settings.ledger_url)
        with suppress(LedgerError):
            self.ledger.connect()
        self.embedders = Embedders(settings, models)
        self.memories = Memories(self.ledger, count=count)
        self.recall = Recall(self.memories, self.ledger.paths)
        self.learner = Learner(self.ledger, self.memories, partial(setattr, self.health, "learning"))
        self.erasure = Erasure(self.ledger, self.memories, settings.data_dir)
        self.retention = Retention(self.ledger, self.memories)
        self._models = models
        self._background = Background()
        self._assemble()
        self.use(settings)

    def _assemble(self) -> None:
        """Builds the path of a request, and the housekeeping. Both look up the current settings each time."""
        ledger, memories = self.ledger, self.memories

        def settings() -> Settings:
            return self.settings

        def redactor() -> Redactor:
            return self.redactor

        self._housekeeping = Housekeeping(settings, ledger, memories, self.embedders, self.health)
        acceptor = Acceptor(settings, redactor, ledger, self._background)
        blocks = Blocks(settings, redactor, ledger, self.recall, memories)
        self.before = Before(settings, ledger, Reader(settings, ledger), acceptor, blocks)
        self.after = After(redactor, ledger, self._background, self.learner.wake)

    def use(self, settings: Settings) -> None:
        """Applies new settings; ``store``, ``ledger`` and others that need a restart have no effect here."""
        self.settings = settings
        self.redactor = self.embedders.redactor = Redactor.of(settings.learn)
        self.memories.vectors.query_vector_timeout_s = (
            min(settings.embedding.timeout_ms, settings.recall.deadline_ms * 2 / 3) / 1000
        )
        self.memories.scope_load_timeout_s = settings.recall.deadline_ms / 3 / 1000
        self.learner.settings = settings.learn
        self.retention.settings = settings.retention

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
        await self.ledger.aclose()
        await self.memories.aclose()
        self.recall.close()
        self.embedders.close()

    async def _run(self) -> None:
        await self._housekeeping.open_with_retries()
        self.spawn(self._housekeeping.warm_up())
        self._background.keep(self.learner.run)
        if self._models is not None:
            self._background.keep(ModelLearner(self.ledger, self.memories, self.learner, self._models).run)
        self._background.keep(self.erasure.run)
        self._background.keep(self.retention.run)
        self._background.keep(self._housekeeping.run)
