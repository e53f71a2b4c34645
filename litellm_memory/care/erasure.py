"""Erasure that leaves nothing behind: of a user, a session or a partition, from every file of ours.

A forgotten memory is gone from every answer at once. Its bytes stay in free pages, logs and index files until these are
scrubbed: by a requested erasure, which is a job that survives a restart, or automatically some time later.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.files.locks import open_lock, take_lock
from litellm_memory.ledger import ASIDE, Job, Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory
from litellm_memory.settings import Settings

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often jobs of other processes are looked for."""
SETTLE_SECONDS = 3.0
"""After this long, the other workers have read the deletions, and what they were learning meanwhile is stored."""
SCRUB_AFTER = timedelta(minutes=30)
"""Files are scrubbed automatically this long after a memory was forgotten; scrubbing rewrites all of them."""
BATCH = 500
"""Memories per batch: each batch scans the frozen blocks once."""


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
        with open_lock(self._data_dir / "erasure.lock") as lock:
            if not take_lock(lock):
                return
            while jobs := await self._ledger.erasures.unfinished():
                await self._do(jobs)
            oldest = await self._ledger.erasures.oldest_unscrubbed()
            if oldest is not None and datetime.now(UTC) - oldest > SCRUB_AFTER:
                await self._scrub()

    async def _do(self, jobs: Sequence[Job]) -> None:
        erasures = self._ledger.erasures
        try:
            for job in jobs:
                if job.progress == "forgetting":
                    await self._forget(job)
                    await erasures.note(job, progress="scrubbing")
            await self._scrub()
            # Copies cannot be edited. To keep one for longer, move it elsewhere.
            await asyncio.to_thread(shutil.rmtree, self._data_dir / ASIDE, ignore_errors=True)
        except LiteLLMMemoryError as error:
            for job in jobs:
                await erasures.note(job, problem=str(error))
            raise
        for job in jobs:
            await erasures.note(job, progress="done", finished=datetime.now(UTC))

    async def _forget(self, job: Job) -> None:
        """Forgets all there is, then again, for what was being learned at the time of the first pass."""
        gone = await self._forget_once(job, until=None)
        while True:
            await self._ledger.erasures.note(job, forgotten=job.forgotten + gone)
            await asyncio.sleep(SETTLE_SECONDS)
            late = await self._forget_once(job, until=job.requested)
            if not late:
                return
            gone += late

    async def _forget_once(self, job: Job, *, until: datetime | None) -> int:
        """Forgets once; returns how many memories. ``until`` spares what was said and requested later."""
        users = [job.user] if job.user is not None else await self._users(job.partition)
        return sum([await self._forget_user(job, user, until) for user in users])

    async def _users(self, partition: str) -> list[str]:
        users = set(await self._ledger.erasures.users(partition))
        async for page in self._memories.pages(partition):
            users |= {memory.user for memory in page}
        return sorted(users)

    async def _forget_user(self, job: Job, user: str, until: datetime | None) -> int:
        memories = [
            memory
            async for page in self._memories.pages(job.partition, user)
            for memory in page
            if job.session in (None, memory.session) and (until is None or _said(memory) <= until)
        ]
        if job.session is None:
            await self._ledger.erasures.erase_user(job.partition, user, until=until)
        else:
            await self._ledger.erasures.erase_session(job.partition, user, job.session, until=until)
        for start in range(0, len(memories), BATCH):
            await self._memories.forget_all(memories[start : start + BATCH])
        return len(memories)

    async def _scrub(self) -> None:
        """Scrubs what was forgotten before this call from all files of this host."""
        pairs = await self._ledger.erasures.unscrubbed()
        for start in range(0, len(pairs), BATCH):
            # A worker that had not read the deletion yet may have frozen the memory into another block.
            await self._ledger.forget([pair for pair in pairs[start : start + BATCH] if pair[1]])
        await self._memories.store.scrub()
        await self._ledger.scrub()
        for start in range(0, len(pairs), BATCH):
            await self._ledger.erasures.scrubbed(pairs[start : start + BATCH])


def operator_steps(settings: Settings) -> list[str]:
    """What is left to the operator after an erasure, because it is in files that are not ours."""
    steps = {
        "server": "On the Chroma server's host: stop it, run `chroma vacuum --path <its directory> --force`, start it.",
        "cloud": "Chroma Cloud compacts deleted records away in its own time: see its terms.",
    }
    found = [steps[settings.store.mode]] if settings.store.mode in steps else []
    if not settings.ledger_url.startswith("sqlite"):
        found.append("On the ledger's database: run VACUUM FULL, and let go of its write-ahead archive.")
    return [*found, "Backups and exports that you made hold what they held: delete them, or let them expire."]


def _said(memory: Memory) -> datetime:
    return min(memory.created, memory.valid_from or memory.created)
