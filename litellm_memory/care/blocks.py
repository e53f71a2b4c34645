"""The blocks that a request was given, as they stood in its prompt, without what has gone out of them since."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from litellm_memory.ledger import Ledger, Trace
from litellm_memory.ledger.blocks import BLOCKS_KEPT, blocks_of
from litellm_memory.models import Block, Memory
from litellm_memory.render import says

MOST_BLOCKS: Final = 100
"""Of one request, the newest: earlier ones are told by the traces of earlier requests."""
GONE: Final = f"It is kept no more: blocks are kept for {BLOCKS_KEPT.days} days, and an erasure removes them."
ANEW: Final = "It is not shown: its message was given another block later, or by another attempt at the same time."
CUT: Final = "{gone} of it {are} not shown: forgotten since, or shared no more."


@dataclass(frozen=True, slots=True)
class BlockThen:
    """The block of one message of a request. ``text``: None when nothing of it may be shown.

    ``count``: its memories then. ``first_given``: no earlier request had it. ``note``: what is not shown, and why.
    """

    text: str | None
    count: int
    first_given: bool
    note: str | None
    given: Mapping[str, str] = field(default_factory=dict)
    """The lines of each memory that is shown, by its id."""

    def stood(self, memory: Memory) -> str | None:
        """What it says in a memory's place, where that is not what the memory says now."""
        lines = self.given.get(memory.id)
        return None if lines is None or says(lines, memory) else lines


async def blocks_then(
    ledger: Ledger, trace: Trace, still: Callable[[Sequence[str]], Awaitable[Collection[str]]]
) -> list[BlockThen]:
    """The newest blocks of a request, oldest first. ``still``: which of these memories may be shown today.

    What was forgotten is in no block any more, and what is not ``still`` there is taken out besides. Raises
    LedgerError.
    """
    asked = list(_given(trace))[-MOST_BLOCKS:]
    if not asked:
        return []
    kept = await ledger.database.read(lambda connection: blocks_of(connection, [mark for mark, _ in asked]))
    shown = set(await still([memory for _, memories in asked for memory in memories]))
    then: list[BlockThen] = []
    for mark, memories in asked:
        block, call, frozen = kept.get(mark, (None, "", trace.at))
        if block is None or (call != trace.id and frozen > trace.at):
            then.append(BlockThen(None, len(memories), call == trace.id, GONE if block is None else ANEW))
        else:
            then.append(_without(block, memories, shown, first_given=call == trace.id))
    return then


def _given(trace: Trace) -> Iterator[tuple[str, Sequence[str]]]:
    """The mark of each block, and its memories as they were."""
    begin = len(trace.carried) - sum(count for _, count in trace.blocks)
    for mark, count in trace.blocks:
        yield mark, trace.carried[begin : begin + count]
        begin += count


def _without(block: Block, memories: Sequence[str], shown: Collection[str], *, first_given: bool) -> BlockThen:
    """``block`` with those of its ``memories`` that may be ``shown``."""
    left = {given.memory for given in block.given} & set(memories) & set(shown)
    text = block.without([given.memory for given in block.given if given.memory not in left]).text
    gone = len(memories) - len(left)
    told = CUT.format(gone="One memory" if gone == 1 else f"{gone} memories", are="is" if gone == 1 else "are")
    lines = {given.memory: given.text for given in block.given if given.memory in left}
    return BlockThen(text or None, len(memories), first_given, told if gone else None, lines)
