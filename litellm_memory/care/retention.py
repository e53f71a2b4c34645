"""What is forgotten by itself: memories that nobody used for too long, and the least useful ones of a full scope."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory
from litellm_memory.settings import RetentionSettings

logger = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(hours=1)
"""How often memories that are too old or too many are looked for, by one worker of all that share the ledger."""
LOOK_SECONDS = 600.0
"""How often a worker asks whether a sweep is due."""
AT_ONCE = 500
"""Most memories that one sweep forgets: each one is also cut out of frozen blocks. The next sweep goes on."""


class Retention:
    """Forgets what the settings do not let stay. Every worker runs one; the ledger lets one of them sweep."""

    def __init__(self, ledger: Ledger, memories: Memories) -> None:
        self.settings = RetentionSettings()
        self._ledger = ledger
        self._memories = memories

    async def run(self) -> None:
        """Sweeps when it is time, until cancelled. What fails is tried again with the next sweep."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.sweep_if_due(datetime.now(UTC))
            except LiteLLMMemoryError as error:
                logger.warning("Forgetting what is too old or too many waits: %s", error)

    async def sweep_if_due(self, now: datetime) -> bool:
        """True when this worker swept: no worker did within SWEEP_EVERY. Raises LedgerError and StoreError."""
        if not await self._ledger.facts.take_turn("sweep", every=SWEEP_EVERY, now=now):
            return False
        gone = await sweep(self._memories, self._ledger, self.settings, now=now)
        if gone:
            logger.info("%d memories were forgotten: too old, or too many in their scope.", gone)
        return True


async def sweep(memories: Memories, ledger: Ledger, retention: RetentionSettings, *, now: datetime) -> int:
    """How many memories were forgotten, of all partitions of this ledger."""
    going: list[Memory] = []
    for partition in sorted(await ledger.partitions.all()):
        scopes: defaultdict[str, dict[str, Memory]] = defaultdict(dict)
        async for page in memories.pages(partition):
            for memory in page:
                scopes[memory.namespace][memory.id] = memory
        for scope in scopes.values():
            going += expendable(scope.values(), retention, now=now)
    for memory in going[:AT_ONCE]:
        with suppress(NotFoundError):
            await memories.forget(memory.partition, memory.id)
    return len(going[:AT_ONCE])


def expendable(scope: Iterable[Memory], retention: RetentionSettings, *, now: datetime) -> list[Memory]:
    """The memories of one scope that go, first those that go first. Pinned ones never do, and fill no room."""
    held = sorted((memory for memory in scope if not memory.pinned), key=lambda memory: _worth(memory, now))
    too_many = len(held) - retention.max_memories
    if retention.max_age_days is None:
        return held[: max(0, too_many)]
    oldest = now - timedelta(days=retention.max_age_days)
    return [memory for place, memory in enumerate(held) if place < too_many or _touched(memory) < oldest]


def _worth(memory: Memory, now: datetime) -> tuple[bool, bool, bool, datetime]:
    """What no longer holds is least, then what was never used, then episodes before the rest, then the longest idle."""
    return memory.in_force(now), memory.uses > 0, memory.kind != "episode", _touched(memory)


def _touched(memory: Memory) -> datetime:
    return max(memory.created, memory.last_used or memory.created)
