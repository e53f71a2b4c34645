"""Blocks put into their places in a body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from litellm_memory.models import Block, Earlier, Place, Position, Status
from litellm_memory.request.long import MOST_BLOCKS_AT_ONCE, done
from litellm_memory.request.marks import Said
from litellm_memory.request.outcome import Injection
from litellm_memory.request.reading import Reading
from litellm_memory.wire.inject import with_blocks
from litellm_memory.wire.positions import with_block_at


def carriers(reading: Reading, position: Position) -> Sequence[Said]:
    """The messages that carry a block: all of them at position ``turn``, which replays blocks, else only the newest."""
    return reading.said if position == "turn" else reading.said[-1:]


async def injection_of(
    reading: Reading, frozen: Mapping[str, Block], position: Position, status: Status, reason: str
) -> Injection:
    """The body with every frozen block in its place; the status is ``replayed`` when there is no new block."""
    work = partial(_injection, reading, frozen, position, status, reason)
    return await done(work, apart=len(reading.said) > MOST_BLOCKS_AT_ONCE)


def _injection(
    reading: Reading, frozen: Mapping[str, Block], position: Position, status: Status, reason: str
) -> Injection:
    given = [(said, block) for said in reading.said if (block := frozen.get(said.mark)) is not None and block.text]
    carried = carried_in((block for _, block in given), reading.earlier)
    if not given:
        return Injection(status, reason, carried=carried)
    newest, block = given[-1]
    placed = tuple((said.place, block.text) for said, block in given)
    return Injection(
        "replayed" if status in ("empty", "skipped") else status,
        reason,
        body=_placed(reading, placed, position),
        count=sum(len(block.given) for _, block in given),
        tokens=sum(block.tokens for _, block in given),
        block=block.text if newest is reading.said[-1] else "",
        carried=carried,
        placed=placed,
        blocks=tuple((said.mark, len(block.given)) for said, block in given),
    )


def _placed(reading: Reading, given: Sequence[tuple[Place, str]], position: Position) -> dict[str, Any]:
    body = reading.request.body
    if position == "turn":
        return with_blocks(body, given)
    [(last, block)] = given
    return with_block_at(body, reading.format, reading.turn, position, block, first=reading.said[0].place, last=last)


def carried_in(blocks: Iterable[Block], earlier: Earlier | None) -> tuple[str, ...]:
    """Ids of the memories that a conversation carries: in these blocks, and in the part that the server keeps."""
    kept = earlier.carried if earlier else ()
    return (*kept, *(given.memory for block in blocks for given in block.given))
