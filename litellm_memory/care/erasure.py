"""Erasure that leaves nothing behind: of a user, a session or a partition, from every file of ours.

A forgotten memory is gone from every answer at once. Its bytes stay in free pages, logs and index files until these are
scrubbed: by a requested erasure, which is a job that survives a restart, or automatically some time later.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.files.locks import open_lock, take_lock
from litellm_memory.ledger import ASIDE, Job, Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory, namespace
from litellm_memory.settings import Settings

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often jobs of other processes are looked for."""
SETTLE_SECONDS = 3.0
"""After this long, the other workers have read the deletions, and what they were learning meanwhile is stored."""
SCRUB_AFTER = timedelta(minutes=30)
"""Files are scrubbed automatically this long after a memory was forgotten; scrubbing rewrites all of them."""
RESTS = 10
"""After files were scrubbed they rest this many times as long, unless nobody asks."""
LONGEST_REST = 600.0
"""In seconds."""
ROUND_SECONDS = 10.0
"""No job is begun in a round that has taken longer."""
BATCH = 500
"""Memories per batch: each batch scans the frozen blocks once."""
SLICE = 2000
"""Memories of one job that are forgotten before it is the turn of the others: that takes some seconds."""


class Erasure:
    """Processes erasure jobs, one process of a host at a time."""

    def __init__(self, ledger: Ledger, memories: Memories, data_dir: Path) -> None:
        self._ledger = ledger
        self._memories = memories
        self._data_dir = data_dir

    async def ask(self, partition: str, user: str | None = None, session: str | None = None) -> Job:
        """A durable job that erases a user, one of their sessions, or the whole partition; ``work`` processes it."""
        return await self._ledger.erasures.ask(partition, user, session, "forgetting")

    async def ask_to_scrub(self, partition: str) -> Job:
        """A durable job that scrubs what was forgotten before from all files."""
        return await self._ledger.erasures.ask(partition, None, None, "scrubbing")

    async def run(self) -> None:
        """Processes jobs until cancelled. Failures are retried."""
        while True:
            try:
                await self.work()
            except LiteLLMMemoryError as error:
                logger.warning("Erasing waits: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def work(self) -> None:
        """Processes all jobs, and scrubs files when that is due; does nothing while another process does so.

        Raises LiteLLMMemoryError when something has to be retried.
        """
        path = self._data_dir / "erasure.lock"
        with open_lock(path) as lock:
            if not take_lock(lock):
                return
            while jobs := await self._ledger.erasures.unfinished():
                if not await self._round(jobs, path):
                    return
            oldest = await self._ledger.erasures.oldest_unscrubbed()
            if oldest is not None and datetime.now(UTC) - oldest > SCRUB_AFTER:
                await self._scrub(path)

    async def _round(self, jobs: Sequence[Job], path: Path) -> bool:
        """Takes all jobs on; False when the files rest and nothing more is to be forgotten: what is left waits."""
        try:
            is_more = await self._forget([job for job in in_turn(jobs) if job.progress == "forgetting"])
            for partition in {job.partition for job in jobs if job.progress == "scrubbing"}:
                await self._ledger.removed.drop(until=datetime.now(UTC), partition=partition)
            ready = [job for job in await self._ledger.erasures.unfinished() if job.progress == "scrubbing"]
            if ready and await self._ledger.erasures.oldest_unscrubbed() is not None:
                if rests_until(path) > time.time():
                    return is_more
                await self._scrub(path)
            # Copies cannot be edited. To keep one for longer, move it elsewhere.
            await asyncio.to_thread(shutil.rmtree, self._data_dir / ASIDE, ignore_errors=True)
        except LiteLLMMemoryError as error:
            for job in jobs:
                await self._ledger.erasures.note(job, problem=str(error))
            raise
        for job in ready:
            await self._ledger.erasures.note(job, progress="done", problem=None, finished=datetime.now(UTC))
        return True

    async def _forget(self, jobs: Sequence[Job]) -> bool:
        """Forgets all there is, then again, for what was being learned at the time of the first pass.

        Of many jobs those that fit into ROUND_SECONDS, and of a large one a slice; the rest is for the next round, and
        then this is True.
        """
        begun, is_more = time.monotonic(), False
        gone: dict[Job, int] = {}
        for place, job in enumerate(jobs):
            if place and time.monotonic() - begun > ROUND_SECONDS:
                is_more = True
                break
            count = await self._forget_once(job, until=job.requested if job.forgotten else None)
            if count < SLICE:
                gone[job] = count
            else:
                is_more = True
                await self._ledger.erasures.note(job, forgotten=job.forgotten + count)
        await self._forget_again(gone)
        return is_more

    async def _forget_again(self, gone: dict[Job, int]) -> None:
        while gone:
            for job, count in gone.items():
                await self._ledger.erasures.note(job, forgotten=job.forgotten + count)
            await asyncio.sleep(SETTLE_SECONDS)
            for job in list(gone):
                late = await self._forget_once(job, until=job.requested)
                gone[job] += late
                if not late:
                    await self._ledger.erasures.forgot(job)
                    del gone[job]

    async def _forget_once(self, job: Job, *, until: datetime | None) -> int:
        """Forgets once; returns how many memories, of which SLICE is the most.

        ``until`` spares what was said and requested later.
        """
        # What was appended to the journal before becomes rows, which are deleted below.
        await self._ledger.caught_up(rotate=True)
        memories = await self._slice(job, until)
        gone: Counter[str] = Counter()
        users = await self._users(job, memories)
        if job.session is None:
            memories += await self._proposed(job.partition, users, until)
        for user in users:
            await self._ledger.sayings.erased(namespace(job.partition, user), job.session, until)
            if job.session is None:
                gone += await self._ledger.erasures.erase_user(job.partition, user, until=until)
            else:
                gone += await self._ledger.erasures.erase_session(job.partition, user, job.session, until=until)
        if job.user is None:
            gone["holders"] += await self._ledger.people.register.erase(job.partition)
        await self._ledger.people.receipts.add(job.id, job.partition, gone)
        for start in range(0, len(memories), BATCH):
            await self._memories.forget_all(memories[start : start + BATCH])
        return len(memories)

    async def _users(self, job: Job, memories: Sequence[Memory]) -> list[str]:
        if job.user is not None:
            return [job.user]
        return sorted({*await self._ledger.erasures.users(job.partition), *(memory.user for memory in memories)})

    async def _slice(self, job: Job, until: datetime | None) -> list[Memory]:
        found: list[Memory] = []
        async for page in self._memories.pages(job.partition, job.user):
            found += [
                memory
                for memory in page
                if job.session in (None, memory.session) and (until is None or _said(memory) <= until)
            ]
            if len(found) >= SLICE:
                break
        return found[:SLICE]

    async def _proposed(self, partition: str, users: Sequence[str], until: datetime | None) -> list[Memory]:
        """What these users proposed to their team and no curator has approved."""
        found: list[Memory] = []
        for user in users:
            for layer, memory in await self._ledger.people.proposals.alone(namespace(partition, user), until):
                found += await self._memories.entries(layer, [memory])
        return found

    async def _scrub(self, path: Path) -> None:
        """Scrubs what was forgotten before this call from all files of this host."""
        begun = time.time()
        pairs = await self._ledger.erasures.unscrubbed()
        for start in range(0, len(pairs), BATCH):
            # A worker that had not read the deletion yet may have frozen the memory into another block.
            await self._ledger.forget([pair for pair in pairs[start : start + BATCH] if pair[1]])
        await self._memories.store.scrub()
        await self._ledger.scrub()
        for start in range(0, len(pairs), BATCH):
            await self._ledger.erasures.scrubbed(pairs[start : start + BATCH])
        # The times of the lock file tell other processes when the files were scrubbed.
        os.utime(path, (begun, time.time()))


def in_turn(jobs: Iterable[Job]) -> list[Job]:
    """The first job of every partition, then the second, and so on: nobody waits for all jobs of somebody else."""
    places: Counter[str] = Counter()
    placed: list[tuple[int, Job]] = []
    for job in jobs:
        placed.append((places[job.partition], job))
        places[job.partition] += 1
    return [job for _, job in sorted(placed, key=lambda one: one[0])]


def rests_until(path: Path) -> float:
    """When files may be scrubbed again, in seconds since the epoch: scrubbing takes a small share of the time."""
    times = path.stat()
    # A new lock file's times are equal; a clock that was put back makes them senseless.
    took = min(max(times.st_mtime - times.st_atime, 0), LONGEST_REST)
    return min(times.st_mtime, time.time()) + min(took * RESTS, LONGEST_REST)


def operator_steps(settings: Settings) -> list[str]:
    """What is left to the operator after an erasure, because it is in files that are not ours."""
    steps = {
        "server": "On the Chroma server's host: stop it, run `chroma vacuum --path <its directory> --force`, start it.",
        "cloud": "Chroma Cloud compacts deleted records away in its own time: see its terms.",
    }
    found = [steps[settings.store.mode]] if settings.store.mode in steps else []
    if not settings.ledger_url.startswith("sqlite"):
        found.append("On the ledger's database: run VACUUM FULL, and let go of its write-ahead archive.")
    if settings.logs.blocks == "keep":
        found.append("LiteLLM's logs and spend rows hold the blocks that requests were given (`logs.blocks: keep`).")
    return [
        *found,
        "What LiteLLM itself keeps: delete the key and the user there, and their spend logs and callbacks' logs.",
        "Backups and exports that you made hold what they held: delete them, or let them expire.",
    ]


def _said(memory: Memory) -> datetime:
    return min(memory.created, memory.valid_from or memory.created)
