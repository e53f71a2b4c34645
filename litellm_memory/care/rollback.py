"""Taking back what was learned: from one request, or since a time, as after a poisoned page was pasted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from litellm_memory.errors import NotFoundError
from litellm_memory.ledger import Ledger, ListFilter
from litellm_memory.memories import Memories
from litellm_memory.models import Memory

TAKEN_BACK = "it was taken back"
"""Why a memory waits for review that was put aside here."""


async def learned_from(
    memories: Memories, partition: str, *, call: str | None = None, since: datetime | None = None
) -> list[Memory]:
    """What requests of a partition left behind, newest first: the one with this id, those since a time, or both.

    What somebody added or imported was not learned from a request, and stays out.
    """
    return await memories.lists.all(partition, ListFilter(learned=True, call=call, since=since))


async def forget(memories: Memories, learned: Sequence[Memory]) -> None:
    """Forgets these memories of one partition; what they took the place of holds again."""
    await memories.forget_all(learned)
    await _bring_back(memories, learned)


async def put_aside(memories: Memories, ledger: Ledger, learned: Sequence[Memory]) -> None:
    """These memories of one partition wait for review and leave all blocks; what they took the place of holds again."""
    await ledger.forget([(memory.namespace, memory.id) for memory in learned])
    for memory in learned:
        with suppress(NotFoundError):  # It may have been forgotten meanwhile, and stays so.
            await memories.correct(memory.partition, memory.id, lambda known: replace(known, review=TAKEN_BACK))
    await _bring_back(memories, learned)


async def _bring_back(memories: Memories, gone: Sequence[Memory]) -> None:
    ids = [memory.id for memory in gone]
    for partition in {memory.partition for memory in gone}:
        for memory in await memories.lists.superseded_by(partition, ids):
            if memory.id not in ids:
                with suppress(NotFoundError):
                    await memories.correct(
                        partition, memory.id, lambda known: replace(known, superseded_by=None, valid_until=None)
                    )
