"""Rollback of what was learned: from one request, or since a time, for example after a poisoned page was pasted."""

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
"""The review reason of a memory that was put aside here."""


async def learned_from(
    memories: Memories, partition: str, *, call: str | None = None, since: datetime | None = None
) -> list[Memory]:
    """The memories learned from requests of a partition, newest first: from this request, since a time, or both.

    Memories that were added or imported are not included.
    """
    return await memories.lists.all(partition, ListFilter(learned=True, call=call, since=since))


async def forget(memories: Memories, learned: Sequence[Memory]) -> None:
    """Forgets these memories of one partition; what they superseded is in force again."""
    await memories.forget_all(learned)
    await _bring_back(memories, learned)


async def put_aside(memories: Memories, ledger: Ledger, learned: Sequence[Memory]) -> None:
    """Sends these memories of one partition to review and cuts them out of blocks; what they superseded is in force
    again."""
    await ledger.forget([(memory.namespace, memory.id) for memory in learned])
    for memory in learned:
        with suppress(NotFoundError):  # It may have been forgotten meanwhile, and stays so.
            await memories.correct(memory.partition, memory.id, lambda known: replace(known, review=TAKEN_BACK))
    await _bring_back(memories, learned)


async def cut_out(memories: Memories, ledger: Ledger, memory: Memory) -> Memory:
    """Cuts a memory that stays out of all blocks. Raises NotFoundError when it is gone."""
    await ledger.forget([(memory.namespace, memory.id)])
    # That let go of its words, which are its own still: whoever says them again means this memory.
    return await memories.correct(memory.partition, memory.id, lambda same: same)


async def _bring_back(memories: Memories, gone: Sequence[Memory]) -> None:
    ids = [memory.id for memory in gone]
    for partition in {memory.partition for memory in gone}:
        for memory in await memories.lists.superseded_by(partition, ids):
            if memory.id not in ids:
                with suppress(NotFoundError):
                    await memories.correct(
                        partition, memory.id, lambda known: replace(known, superseded_by=None, valid_until=None)
                    )
