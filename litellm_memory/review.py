"""The queue of what waits for its owner's word: memories that are kept, shown and not recalled until then."""

from __future__ import annotations

from dataclasses import replace

from litellm_memory.errors import NotFoundError
from litellm_memory.memories import Memories
from litellm_memory.models import Memory


async def waiting(memories: Memories, partition: str, user: str | None = None) -> list[Memory]:
    """What waits for review, of one user or of a whole partition, newest first."""
    return [memory for memory in await memories.all(partition, user) if memory.review is not None]


async def accept(memories: Memories, partition: str, memory_id: str, *, text: str | None = None) -> Memory:
    """The memory, recalled from now on, in the words of ``text`` when that is given.

    Raises NotFoundError for an unknown id, a foreign one, and one that does not wait.
    """
    await _waiting(memories, partition, memory_id)
    return await memories.correct(
        partition, memory_id, lambda memory: replace(memory, text=text or memory.text, review=None)
    )


async def reject(memories: Memories, partition: str, memory_id: str) -> None:
    """Forgets a memory that waits. Raises NotFoundError as ``accept`` does."""
    await _waiting(memories, partition, memory_id)
    await memories.forget(partition, memory_id)


async def _waiting(memories: Memories, partition: str, memory_id: str) -> None:
    if (await memories.get(partition, memory_id)).review is None:
        raise NotFoundError("No memory with this id waits for review.")
