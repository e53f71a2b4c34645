"""What a person proposes to their team: a copy that waits for a curator, without what tells of its source."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.models import Memory, Origin, Scope, memory_id
from litellm_memory.redact import Redactor
from litellm_memory.screening import why_each_to_review

MOST_OPEN: Final = 100
"""Proposals of one person that wait."""


UNKNOWN: Final = "There is no memory with this id."


@dataclass(frozen=True, slots=True)
class Became:
    """The id of a copy that was proposed, and its state; None for neither."""

    memory: str | None
    state: Literal["proposed", "shared"] | None


class UnfitError(LiteLLMMemoryError):
    """A memory cannot be proposed; the message says why."""


async def propose(
    ledger: Ledger, memories: Memories, memory: Memory, layer: Scope, *, text: str | None, by: str, redactor: Redactor
) -> Memory:
    """The copy of ``memory`` that waits in ``layer``, or what is shared there already in the same words.

    ``text``: in these words instead. ``by``: the name that the curator is told; it is kept while the copy waits. Raises
    UnfitError.
    """
    proposals, now = ledger.people.proposals, datetime.now(UTC)
    if not memory.in_force(now):
        raise UnfitError("Only what is in force can be proposed: this memory waits, is superseded or is not valid now.")
    if len(await proposals.open(memory.namespace)) >= MOST_OPEN:
        raise UnfitError(f"{MOST_OPEN} proposals of yours are not decided yet: withdraw some, or wait.")
    words = text or memory.text
    [suspicion] = await asyncio.to_thread(why_each_to_review, ["\n".join((words, *memory.tags))])
    copy = Memory(
        id=memory_id(layer.namespace, secrets.token_hex(16), key=ledger.key),
        partition=layer.partition,
        user=layer.user,
        text=words,
        kind=memory.kind,
        created=now,
        project=memory.project,
        tags=memory.tags,
        origin=Origin("person"),
        valid_from=memory.valid_from or memory.created,
        valid_until=memory.valid_until,
        review=f"{by} proposes it to the team" + (f"; {suspicion}" if suspicion else ""),
    )
    # First, so that no copy waits of which nobody knows whose it is.
    await proposals.add(copy.id, layer.partition, memory)
    [kept] = await memories.keep([redactor.memory(copy)])
    if kept.id != copy.id:
        await proposals.drop(copy.id, memory.namespace)
        await proposals.add(kept.id, layer.partition, memory)
    if not await memories.entries(memory.partition, [memory.id]):
        # It was forgotten meanwhile, before its copy was there to go with it. What told of the copy may be gone too.
        await proposals.drop(kept.id, memory.namespace)
        if not await proposals.is_proposed(kept.id):
            left = await memories.entries(kept.partition, [kept.id])
            await memories.forget_all([one for one in left if one.review is not None])
        raise NotFoundError(UNKNOWN)
    return kept


async def became(ledger: Ledger, memory: Memory) -> Became:
    """What became of what its person proposed of this memory."""
    found = await ledger.people.proposals.became(memory.id, memory.namespace)
    return Became(found[0], "proposed" if found[1] else "shared") if found else Became(None, None)


async def proposed(ledger: Ledger, memories: Memories, space: str) -> list[Memory]:
    """What the person of a namespace proposed and nobody decided yet, newest first."""
    return [
        memory
        for layer, one in await ledger.people.proposals.open(space)
        for memory in await memories.entries(layer, [one])
    ]


async def withdraw(ledger: Ledger, memories: Memories, space: str, memory_id: str) -> None:
    """Takes back what the person of a namespace proposed; it goes unless another proposes it too.

    Raises NotFoundError for what they did not propose, or somebody has decided.
    """
    proposals = ledger.people.proposals
    layers = {one: layer for layer, one in await proposals.open(space)}
    if memory_id not in layers:
        raise NotFoundError("There is no proposal of yours with this id that waits.")
    if (layers[memory_id], memory_id) in await proposals.alone(space):
        await memories.forget(layers[memory_id], memory_id)
    else:
        await proposals.drop(memory_id, space)
