"""What the keeper does, done in the test's own process: taking over what requests leave, and learning from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from litellm_memory import meaning
from litellm_memory.embedding import Embedders
from litellm_memory.engine.health import Health
from litellm_memory.engine.housekeeping import Housekeeping
from litellm_memory.journal.journal import Journal
from litellm_memory.journal.taking import Taker
from litellm_memory.learn.learner import Learner
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.settings import Settings


@asynccontextmanager
async def taken_over(directory: Path, ledger: Ledger) -> AsyncIterator[Journal]:
    """The journal in a directory; at the end of the block the ledger holds what was appended to it."""
    journal, taker = Journal(directory, ledger), Taker(directory, ledger)
    try:
        yield journal
        await taker.take_all(rotate=False)
    finally:
        journal.close()
        taker.close()


@dataclass(frozen=True, slots=True)
class Learning:
    """A learner with the ledger and the memories that are its own."""

    directory: Path
    ledger: Ledger
    memories: Memories
    learner: Learner
    health: Health


@asynccontextmanager
async def opened_learning(data_dir: Path, **settings: Any) -> AsyncIterator[Learning]:
    """Learning on an open store; a token is a word. It begins with ``learner.run``."""
    told = Settings(data_dir=data_dir, **settings)
    ledger, embedders, health = Ledger.open(told.ledger_url), Embedders(told, None), Health()
    memories = Memories(ledger, count=lambda text: len(text.split()))
    learner = Learner(ledger, memories, partial(setattr, health, "learning"))
    learner.settings = told.learn
    meaning.use(wanted=told.learn.meaning)
    try:
        await Housekeeping(lambda: told, ledger, memories, embedders, health).open_data()
        yield Learning(data_dir, ledger, memories, learner, health)
    finally:
        await ledger.aclose()
        await memories.aclose()
        embedders.close()


@asynccontextmanager
async def running_learning(data_dir: Path, **settings: Any) -> AsyncIterator[Learning]:
    """The same with the learner at work."""
    async with opened_learning(data_dir, **settings) as learning:
        running = asyncio.create_task(learning.learner.run())
        try:
            yield learning
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
