"""How memory fares: what waits, how large its files are, how long it took of requests, and what was forgotten."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from litellm_memory.ledger import Ledger, ListFilter
from litellm_memory.memories import Memories
from litellm_memory.models import Memory, namespace

MOST_TRACES: Final = 2000
"""Of so many of the newest requests the times are told; reading them takes some 50 ms of a thread."""
MOST_AUDITED: Final = 1000
"""Memories that one audit looks at, the newest of the partition or of the user."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is still to be done, of all partitions but ``review``: exchanges to be learned, those that could not be,
    those that wait for a model, and memories of the partition that wait for their owner."""

    to_learn: int
    failed: int
    for_model: int
    review: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A file or folder of the data directory, and its bytes."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class DayTimes:
    """A day of a partition, in UTC. ``p50`` and ``p95`` are milliseconds that memory took of a request, over the
    ``requests`` of that day whose traces were looked at; None when there are none."""

    day: str
    requests: int
    p50: float | None
    p95: float | None
    forgotten: int


async def waiting(ledger: Ledger, partition: str) -> Waiting:
    """What waits now. Raises LedgerError."""
    failed = len(await ledger.dead_letters.all())
    return Waiting(
        to_learn=await ledger.journal.unlearned() - failed,
        failed=failed,
        for_model=await ledger.model_queue.waiting(),
        review=await ledger.listing.count(partition, waiting=True),
    )


async def stored(data_dir: Path) -> list[Stored]:
    """What the data directory holds, the largest first."""
    return await asyncio.to_thread(_stored, data_dir)


def _stored(data_dir: Path) -> list[Stored]:
    sizes: defaultdict[str, int] = defaultdict(int)
    for folder, _, names in os.walk(data_dir):
        for name in names:
            path = Path(folder, name)
            try:
                sizes[path.relative_to(data_dir).parts[0]] += path.lstat().st_size
            except FileNotFoundError:
                continue
    return sorted((Stored(*one) for one in sizes.items()), key=lambda one: -one.bytes)


async def times_by_day(ledger: Ledger, partition: str, *, since: datetime | None) -> list[DayTimes]:
    """The days since then on which something happened, newest first. Raises LedgerError."""
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for trace in await ledger.traces.newest(partition, user=None, limit=MOST_TRACES):
        if trace.stages and (since is None or trace.at >= since):
            taken[trace.at.date().isoformat()].append(sum(trace.stages.values()))
    forgotten = await ledger.figures.forgotten(partition)
    first = "" if since is None else since.date().isoformat()
    days = sorted({*taken, *(day for day in forgotten if day >= first)}, reverse=True)
    return [_day(day, sorted(taken[day]), forgotten) for day in days]


def _day(day: str, taken: Sequence[float], forgotten: Mapping[str, int]) -> DayTimes:
    p50, p95 = (percentile(taken, share) if taken else None for share in (0.5, 0.95))
    return DayTimes(day, len(taken), p50, p95, forgotten.get(day, 0))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that this share of ``ordered`` does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def newest_by_user(memories: Memories, partition: str, user: str | None) -> list[list[Memory]]:
    """The newest MOST_AUDITED memories of a user, or of a partition, those of each user together."""
    space = None if user is None else namespace(partition, user)
    found, _ = await memories.lists.page(partition, ListFilter(namespace=space), limit=MOST_AUDITED)
    users: defaultdict[str, list[Memory]] = defaultdict(list)
    for memory in found:
        users[memory.user].append(memory)
    return list(users.values())
