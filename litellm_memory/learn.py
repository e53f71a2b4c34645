"""Exchange to memories kept: extracted, given an id that a repeat cannot double, stored. Runs beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.extract import Candidate, Rule, candidates
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
LULL_SECONDS = 0.2
"""Learning waits this long after an answer, so that what is said close together costs one reading and one writing."""


class Learner:
    """Learns from the journal, in the order in which things were said, for as long as it runs."""

    def __init__(self, ledger: Ledger, memories: Memories) -> None:
        self.settings = LearnSettings()
        self._ledger = ledger
        self._memories = memories
        self._awake = asyncio.Event()
        self._waits: str | None = None
        """Why learning waits, as the log was told."""
        self._adopts_at = 0.0

    def wake(self) -> None:
        """There is something new in the journal."""
        self._awake.set()

    async def run(self) -> None:
        """Learns until cancelled. What fails stays in the journal and is tried again."""
        while True:
            self._awake.clear()
            pause = ADOPT_SECONDS
            try:
                await self._adopt()
                while await self.learn_waiting() == BATCH:
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
            await asyncio.sleep(LULL_SECONDS)

    def _wait_for(self, reason: str) -> None:
        if reason != self._waits:
            logger.warning("Learning waits: %s", reason)
        self._waits = reason

    async def learn_waiting(self) -> int:
        """How many exchanges of this worker were learned now."""
        ready = await self._ledger.ready(BATCH)
        if ready:
            await self._keep(await asyncio.to_thread(self._found_in, ready))
            await self._ledger.done(*(exchange.mark for exchange in ready))
        return len(ready)

    def _found_in(self, exchanges: Sequence[Exchange]) -> list[list[Memory]]:
        return [memories_of(exchange, self.settings, self._ledger.key) for exchange in exchanges]

    async def _keep(self, found: Sequence[Sequence[Memory]]) -> None:
        """Keeps what was found in each exchange, in one go when that can be."""
        try:
            await self._memories.keep(list(chain.from_iterable(found)))
        except ValueError:
            if len(found) > 1:
                for memories in found:
                    await self._keep([memories])
                return
            # Chroma can never keep it; trying again would stop all that waits behind it.
            logger.error("An exchange cannot be kept and is left out.")

    async def _adopt(self) -> None:
        """Takes over what workers that are gone left in the journal, when it is time to look again."""
        now = asyncio.get_running_loop().time()
        if now >= self._adopts_at:
            await self._ledger.adopt()
            self._adopts_at = now + ADOPT_SECONDS


def memories_of(exchange: Exchange, settings: LearnSettings, key: bytes) -> list[Memory]:
    """The memories that an exchange makes; the same ones, id by id, however often it is asked."""
    rules = [Rule(rule.kind, rule.pattern, rule.about_person) for rule in settings.rules]
    found = candidates(exchange, patterns=settings.patterns, turns=settings.turns, rules=rules)
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
