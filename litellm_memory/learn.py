"""Exchange to memories kept: extracted, given an id that a repeat cannot double, stored. Runs beside the requests."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.extract import Candidate, candidates
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Exchange, Memory, Origin
from litellm_memory.settings import LearnSettings
from litellm_memory.store import memory_id

logger = logging.getLogger(__name__)

BATCH = 16
RETRY_SECONDS = 2.0
"""Pause after the store refused a write; the journal keeps everything meanwhile."""
ADOPT_SECONDS = 5.0


class Learner:
    """Learns from the journal, one exchange after the other, for as long as it runs."""

    def __init__(self, ledger: Ledger, memories: Memories) -> None:
        self.settings = LearnSettings()
        self._ledger = ledger
        self._memories = memories
        self._awake = asyncio.Event()
        self._waits: str | None = None
        """Why learning waits, as the log was told."""

    def wake(self) -> None:
        """There is something new in the journal."""
        self._awake.set()

    async def run(self) -> None:
        """Learns until cancelled. What fails stays in the journal and is tried again."""
        while True:
            self._awake.clear()
            pause = ADOPT_SECONDS
            try:
                await self._ledger.adopt()
                while await self.learn_waiting():
                    pass
                self._waits = None
            except LiteLLMMemoryError as error:
                self._wait_for(str(error))
                pause = RETRY_SECONDS
            except Exception as error:
                self._wait_for(type(error).__name__)
                logger.debug("Learning failed", exc_info=True)
                pause = RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            except TimeoutError:
                continue

    def _wait_for(self, reason: str) -> None:
        if reason != self._waits:
            logger.warning("Learning waits: %s", reason)
        self._waits = reason

    async def learn_waiting(self) -> int:
        """How many exchanges of this worker were learned now."""
        ready = await self._ledger.ready(BATCH)
        for exchange in ready:
            await self._learn(exchange)
        return len(ready)

    async def _learn(self, exchange: Exchange) -> None:
        found = await asyncio.to_thread(memories_of, exchange, self.settings, self._ledger.key)
        try:
            await self._memories.keep(found)
        except ValueError:
            # Chroma can never keep it; trying again would stop all that waits behind it.
            logger.error("An exchange cannot be kept and is left out.")
        await self._ledger.done(exchange.mark)


def memories_of(exchange: Exchange, settings: LearnSettings, key: bytes) -> list[Memory]:
    """The memories that an exchange makes; the same ones, id by id, however often it is asked."""
    found = candidates(exchange, patterns=settings.patterns, turns=settings.turns)
    return [_memory(exchange, candidate, ordinal, key) for ordinal, candidate in enumerate(found)]


def _memory(exchange: Exchange, candidate: Candidate, ordinal: int, key: bytes) -> Memory:
    scope = exchange.scope
    return Memory(
        id=memory_id(scope.namespace, exchange.mark, str(ordinal), key=key),
        partition=scope.partition,
        user=scope.user,
        text=candidate.text,
        kind=candidate.kind,
        created=datetime.now(UTC),
        valid_from=exchange.said,
        project=None if candidate.about_person else scope.project,
        session=scope.session,
        origin=Origin("person", scope.client, exchange.id),
        confidence=candidate.confidence,
        reply=candidate.reply,
        message=exchange.mark,
    )
