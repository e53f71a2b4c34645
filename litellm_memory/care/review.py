"""The review queue: memories that are kept and shown, but not recalled until their owner accepts them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from typing import Final

from litellm_memory.errors import NotFoundError
from litellm_memory.extract.commands import ASKS_TO_FORGET
from litellm_memory.extract.known import KnownStatements
from litellm_memory.extract.reconcile import reconcile, with_outcome
from litellm_memory.ledger import ListFilter
from litellm_memory.ledger.removed import Removed
from litellm_memory.memories import Memories
from litellm_memory.models import Memory, namespace

_WISH: Final = re.compile(rf"{ASKS_TO_FORGET}[0-9a-f]{{40}}(?:, [0-9a-f]{{40}})*")
"""Of a whole reason: others begin with a name that somebody chose."""


def waiting(partition: str, user: str | None = None) -> ListFilter:
    """Selects the memories that wait for review, of one user or of a whole partition."""
    return ListFilter(namespace=None if user is None else namespace(partition, user), waiting=True)


async def accept(
    memories: Memories,
    removed: Removed,
    partition: str,
    memory_id: str,
    *,
    text: str | None = None,
    check: Callable[[Memory], None] = lambda memory: None,
) -> Memory:
    """Accepts a memory, as ``text`` if that is given; returns the memory that is in force now.

    It supersedes what it contradicts, as if it had just been said; a known memory that says the same is kept instead of
    it. What a wish has forgotten is kept in ``removed``, to be undone. Raises NotFoundError for an unknown id, a
    foreign one, and one that does not wait, and what ``check`` raises for the memory as it is.
    """
    waits = await _waiting(memories, partition, memory_id)
    if is_wish(waits):
        check(waits)
        return await _forget_as_asked(memories, removed, waits)

    def accepting(memory: Memory) -> Memory:
        check(memory)
        return replace(memory, text=text or memory.text, review=None)

    accepted = await memories.correct(partition, memory_id, accepting)
    index = await memories.index(partition, accepted.user)
    # The owner's decision makes it the person's own statement, whoever said it first.
    said = replace(accepted, origin=replace(accepted.origin, role="person"))
    others = [known for known in index.all() if known.id != accepted.id]
    found = await asyncio.to_thread(lambda: reconcile([said], KnownStatements(others)))
    for changed in found.known.values():
        await _change(memories, changed)
    if accepted.id in found.new:
        return accepted
    await memories.forget(partition, accepted.id)
    [same] = found.known.values()
    return same


async def reject(memories: Memories, partition: str, memory_id: str) -> None:
    """Forgets a memory that waits for review. Raises NotFoundError as ``accept`` does."""
    await _waiting(memories, partition, memory_id)
    await memories.forget(partition, memory_id)


def is_wish(memory: Memory) -> bool:
    """True for a wish to forget, which waits for its owner's word."""
    return _WISH.fullmatch(memory.review or "") is not None


async def meant_by(memories: Memories, partition: str, wishes: Sequence[Memory]) -> dict[str, list[Memory]]:
    """The memories that would go with each of these wishes to forget, by the wish's id, as far as they are here."""
    asked = [wish for wish in wishes if is_wish(wish)]
    ids = [id for wish in asked for id in _named_by(wish)]
    found = {(one.id, one.user): one for one in await memories.entries(partition, ids)}
    return {one.id: [found[key] for id in _named_by(one) if (key := (id, one.user)) in found] for one in asked}


def few_meant(waiting: Sequence[Memory], most: int) -> Sequence[Memory]:
    """As many of these, from the first on, as mean at most so many memories together; one at least."""
    meant = accumulate(len(_named_by(one)) if is_wish(one) else 0 for one in waiting)
    return waiting[: max(1, sum(count <= most for count in meant))]


def _named_by(wish: Memory) -> list[str]:
    return (wish.review or "").removeprefix(ASKS_TO_FORGET).split(", ")


def why_it_waits(memory: Memory) -> str:
    """Why a memory waits, for people: of a wish to forget, how many memories it means and not their ids."""
    if not is_wish(memory):
        return memory.review or ""
    count = len(_named_by(memory))
    return f"it asks to forget {'a memory' if count == 1 else f'{count} memories'}"


async def _forget_as_asked(memories: Memories, removed: Removed, wish: Memory) -> Memory:
    """Forgets what a wish names, and the wish; returns the wish."""
    meant = (await meant_by(memories, wish.partition, [wish]))[wish.id]
    await removed.keep([*meant, wish])
    await memories.forget_all([*meant, wish])
    return wish


async def _waiting(memories: Memories, partition: str, memory_id: str) -> Memory:
    memory = await memories.get(partition, memory_id)
    if memory.review is None:
        raise NotFoundError("No memory with this id waits for review.")
    return memory


async def _change(memories: Memories, changed: Memory) -> None:
    with suppress(NotFoundError):  # It may have been forgotten meanwhile, and stays so.
        await memories.correct(changed.partition, changed.id, lambda memory: with_outcome(memory, changed))
