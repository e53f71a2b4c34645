"""What is forgotten automatically: memories unused for too long, and the least useful ones of a full scope."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory
from litellm_memory.settings import RetentionRule, RetentionSettings

logger = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(hours=1)
"""Interval between sweeps for memories that are too old or too many, by one worker of all that share the ledger."""
LOOK_SECONDS = 600.0
"""How often a worker asks whether a sweep is due."""
AT_ONCE = 20
"""Memories that are forgotten together: they are also cut out of frozen blocks, and others write in between."""


class Retention:
    """Forgets what exceeds the settings. Every worker runs one; the ledger lets one of them sweep."""

    def __init__(self, ledger: Ledger, memories: Memories) -> None:
        self.settings = RetentionSettings()
        self._ledger = ledger
        self._memories = memories

    async def run(self) -> None:
        """Sweeps when that is due, until cancelled. A failed sweep is retried at the next interval."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.sweep_if_due(datetime.now(UTC))
            except LiteLLMMemoryError as error:
                logger.warning("Forgetting what is too old or too many waits: %s", error)

    async def sweep_if_due(self, now: datetime) -> bool:
        """Sweeps unless a worker did within SWEEP_EVERY; True when this one swept. Raises LedgerError and
        StoreError."""
        if not await self._ledger.facts.take_turn("sweep", every=SWEEP_EVERY, now=now):
            return False
        gone = await sweep(self._memories, self._ledger, self.settings, now=now)
        if gone:
            logger.info("%d memories were forgotten: too old, or too many in their scope.", gone)
        return True


async def sweep(memories: Memories, ledger: Ledger, retention: RetentionSettings, *, now: datetime) -> int:
    """Forgets what is too old or too much in all partitions of this ledger; returns how many memories."""
    going: list[Memory] = []
    for partition in sorted(await ledger.partitions.all()):
        scopes: defaultdict[str, dict[str, Memory]] = defaultdict(dict)
        async for page in memories.pages(partition):
            for memory in page:
                scopes[memory.namespace][memory.id] = memory
        for scope in scopes.values():
            going += expendable(scope.values(), retention, now=now)
    for start in range(0, len(going), AT_ONCE):
        await memories.forget_all(going[start : start + AT_ONCE])
    return len(going)


def expendable(scope: Iterable[Memory], retention: RetentionSettings, *, now: datetime) -> list[Memory]:
    """The memories of one scope to forget, least useful first. Pinned ones are never forgotten and do not count."""
    held = sorted((memory for memory in scope if not memory.pinned), key=lambda memory: _worth(memory, now))
    too_many = len(held) - retention.max_memories
    return [memory for place, memory in enumerate(held) if place < too_many or _is_old(memory, retention, now)]


def _is_old(memory: Memory, retention: RetentionSettings, now: datetime) -> bool:
    rule = next((rule for rule in retention.rules if _fits(rule, memory)), retention)
    return rule.max_age_days is not None and memory.touched < now - timedelta(days=rule.max_age_days)


def _fits(rule: RetentionRule, memory: Memory) -> bool:
    of_kind = not rule.kinds or memory.kind in rule.kinds
    return of_kind and (rule.project is None or fnmatchcase(memory.project or "", rule.project))


def _worth(memory: Memory, now: datetime) -> tuple[bool, bool, bool, datetime]:
    """Sorts memories no longer in force first, then unused ones, then episodes, then those idle for longest."""
    return memory.in_force(now), memory.uses > 0, memory.kind != "episode", memory.touched
