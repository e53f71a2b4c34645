"""Brings back what a person's wish removed, for ten minutes."""

from __future__ import annotations

from litellm_memory.errors import NotFoundError
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory


async def undo(ledger: Ledger, memories: Memories, partition: str, memory_id: str) -> Memory:
    """The memory, as it was before a wish removed it, once it is here again.

    Raises NotFoundError for an id that no wish removed within the last ten minutes, and for one in another partition.
    """
    memory = await ledger.removed.get(partition, memory_id)
    if memory is None:
        raise NotFoundError("There is no memory with this id that was removed within the last ten minutes.")
    await ledger.removed.taken_back(memory)
    if memory.message is not None:
        await ledger.sayings.forgot([memory.message], forgotten=False)
    await memories.restore([memory])
    return await memories.get(partition, memory_id)
