"""The keeper's work: it takes over the journal, learns from it and sweeps.

All that is not on the way of an answer is here, in one process of the host and at low priority, so that a worker only
reads, searches and appends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from litellm_memory import meaning
from litellm_memory.care.retention import Retention
from litellm_memory.embedding import Embedders, EmbeddingModels
from litellm_memory.engine.health import Health
from litellm_memory.engine.housekeeping import Housekeeping
from litellm_memory.errors import LedgerError
from litellm_memory.journal.taking import Taker
from litellm_memory.learn.by_model import ChatModels, ModelLearner
from litellm_memory.learn.learner import Learner
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Count, Memories
from litellm_memory.metrics import Shared
from litellm_memory.redact import Redactor
from litellm_memory.request.background import Background
from litellm_memory.settings import Settings

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
"""How often the journal is looked at: its size says whether there is more."""
BUSY_LOOK_SECONDS: Final = 0.4
"""How seldom at most while each look finds something: what is taken over together shares a transaction, and is there
for other hosts within a second of the answer."""
REST_LOOK_SECONDS, REST_LOOKS = 0.5, 25
"""How often after so many looks that found nothing: a host at rest shall cost nothing."""
BEAT_SECONDS: Final = 0.5
"""How often a keeper shows those of other hosts that it lives."""
COUNT_SECONDS: Final = 5.0
"""How often the metrics are shared."""
RETRY_SECONDS: Final = 1.0
"""Pause after the ledger or the journal failed."""


class KeepersModels(EmbeddingModels, ChatModels, Protocol):
    """The models that LiteLLM can call."""


class Work:
    """What a keeper does in the background, from its settings on.

    ``named`` returns once ``models`` know what is behind a name; ``changed`` is awaited when memories have changed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        models: KeepersModels | None,
        count: Count,
        named: Callable[[str], Awaitable[None]],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._health = Health(store=None)
        self._models = models
        self._named = named
        self._ledger = Ledger(settings.ledger_url)
        self._embedders = Embedders(settings, models)
        self._memories = Memories(self._ledger, count=count, changed=changed, searched=False)
        self._learner = Learner(self._ledger, self._memories, partial(setattr, self._health, "learning"))
        self._retention = Retention(self._ledger, self._memories)
        self._taker = Taker(settings.data_dir, self._ledger)
        self._taking = asyncio.Lock()
        self._background = Background()
        self._ledger.caught_up = self.catch_up
        self._housekeeping = Housekeeping(
            lambda: self.settings, self._ledger, self._memories, self._embedders, self._health, searches=False
        )
        self.use(settings)

    @property
    def fares(self) -> dict[str, str | None]:
        """What keeps it from learning and from writing the ledger, in a sentence each; None when nothing does."""
        return {
            "learning": self._health.learning or self._health.store,
            "ledger": self._health.ledger or self._ledger.trouble,
        }

    def use(self, settings: Settings) -> None:
        """Applies new settings."""
        self.settings = settings
        self._embedders.redactor = Redactor.of(settings.learn)
        self._learner.settings = settings.learn
        meaning.use(wanted=settings.learn.meaning)
        self._retention.settings = settings.retention

    def begin(self) -> None:
        """Starts opening ledger and store and, once they are open, everything else. Does not wait."""
        self._background.spawn(self._run())

    async def _run(self) -> None:
        await self._housekeeping.open_ledger_with_retries()
        self._background.keep(self._take)
        await self._named(self.settings.embedding.model)
        await self._housekeeping.open_with_retries()
        self._background.keep(self._learner.run)
        if self._models is not None:
            self._background.keep(ModelLearner(self._ledger, self._memories, self._learner, self._models).run)
        self._background.keep(self._retention.run)
        self._background.keep(self._housekeeping.keep)
        self._background.keep(self._count)
        if not self._ledger.database.is_sqlite:
            self._background.keep(self._beat)

    async def _take(self) -> None:
        """Takes over the journal until cancelled; wakes learning whenever there was something."""
        in_vain, pause = 0, LOOK_SECONDS
        while True:
            try:
                found = await self._take_over(rotate=False)
                in_vain, pause = (0, min(2 * pause, BUSY_LOOK_SECONDS)) if found else (in_vain + 1, LOOK_SECONDS)
                self._health.ledger = None
            except (LedgerError, OSError) as error:
                self._health.ledger = f"What was said waits in the journal: {error}"
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(pause if in_vain < REST_LOOKS else REST_LOOK_SECONDS)

    async def _count(self) -> None:
        """Adds what was learned to the metrics of this host, until cancelled."""
        shared = Shared(self._ledger.figures)
        while True:
            with suppress(LedgerError):
                await shared.flush()
            await asyncio.sleep(COUNT_SECONDS)

    async def _beat(self) -> None:
        """Learns also for the keepers of other hosts that died, until cancelled."""
        while True:
            with suppress(LedgerError):
                if await self._ledger.journal.beat():
                    self._learner.wake()
            await asyncio.sleep(BEAT_SECONDS)

    async def catch_up(self, *, rotate: bool = False) -> None:
        """Takes over all that was appended so far. Raises LedgerError, OSError."""
        await self._take_over(rotate=rotate)

    async def settled(self) -> None:
        """Returns once what is being written can be found."""
        await self._memories.under_way.settled()

    async def _take_over(self, *, rotate: bool) -> bool:
        """As ``catch_up``, and tells whether that was anything."""
        async with self._taking:
            anything = await self._taker.take_all(rotate=rotate)
            if anything:
                self._memories.uses.note(self._taker.uses.elements())
                self._taker.uses.clear()
                self._learner.wake()
            return anything

    async def aclose(self) -> None:
        """Ends everything."""
        await self._background.aclose()
        self._taker.close()
        await self._ledger.aclose()
        await self._memories.aclose()
        self._embedders.close()
