"""The junk rate of a sample of what is kept: the audit as one metric for operators."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from litellm_memory.care.audit import audit
from litellm_memory.memories import Memories
from litellm_memory.models import Memory
from litellm_memory.redact import Redactor

SAMPLE: Final = 300
"""Memories per sample: the audit compares each one with all older ones of its user."""


async def junk_share(memories: Memories, partitions: Iterable[str], *, redactor: Redactor) -> float:
    """The share, from 0 to 1, of a sample of these partitions that the audit calls junk."""
    users: defaultdict[str, list[Memory]] = defaultdict(list)
    for memory in await _sample(memories, partitions):
        users[memory.namespace].append(memory)
    now = datetime.now(UTC)
    audits = [await asyncio.to_thread(audit, held, now=now, redactor=redactor) for held in users.values()]
    looked_at = sum(one.memories for one in audits)
    return sum(one.junk_rate * one.memories for one in audits) / looked_at if looked_at else 0.0


async def _sample(memories: Memories, partitions: Iterable[str]) -> list[Memory]:
    found: list[Memory] = []
    for partition in sorted(partitions):
        async for page in memories.pages(partition):
            found += page[: SAMPLE - len(found)]
            if len(found) == SAMPLE:
                return found
    return found
