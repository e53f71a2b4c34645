"""Conversations of the past taken into the journal, from which they are learned as those of today are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from litellm_memory.engine.engine import Engine
from litellm_memory.learn.making import memories_of_each
from litellm_memory.models import Exchange, Memory
from litellm_memory.request.past import Heard

T = TypeVar("T")

APPENDED_AT_ONCE: Final = 50
"""Messages, each with its answer, that are appended to the journal before others have the event loop: 5 ms."""
AT_ONCE: Final = 1000
"""Messages that the ledger takes over before more of them are appended."""
READ_AT_ONCE: Final = 25
"""Messages of a dry run that are read before another import has its turn: a quarter of a second at the most."""

_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="litellm-memory-past")


@dataclass(slots=True)
class Taken:
    """What became of the person's messages, and whose they are."""

    taken: int = 0
    known: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    owners: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many of the messages that are new, by partition and user."""
    memories: list[Memory] = field(default_factory=list)
    """In a dry run: what would be learned from them, redacted, before it is compared with what is known."""


async def take(engine: Engine, heard: Sequence[Heard], *, dry: bool) -> Taken:
    """Appends what is new to the journal; with ``dry`` nothing. Returns once the ledger has it. Raises LedgerError.

    A message that was learned from, in an import or when it was said, is known.
    """
    every = await _apart(partial(_by_mark, heard))
    known = {mark for marks in _pieces([*every], AT_ONCE) for mark in await engine.ledger.sayings.heard(marks)}
    result, new = await _apart(partial(_counted, heard, every, known))
    if dry:
        for piece in _pieces(new, READ_AT_ONCE):
            result.memories += await _apart(partial(_memories, engine, piece))
        return result
    for part in _pieces(new, AT_ONCE):
        for piece in _pieces(part, APPENDED_AT_ONCE):
            for exchange in piece:
                engine.journal.accept(exchange)
                engine.journal.answered(exchange.mark, exchange.reply)
            await asyncio.sleep(0)
        # What is said meanwhile does not wait behind all of an import: its next part comes when this one was read.
        await engine.ledger.caught_up()
    return result


async def _apart(work: Callable[[], T]) -> T:
    """What ``work`` returns, off the event loop: of several imports each has one piece in the queue at a time."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work)


def _pieces(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    return (items[start : start + most] for start in range(0, len(items), most))


def _by_mark(heard: Sequence[Heard]) -> dict[str, Exchange]:
    return {exchange.mark: exchange for one in heard for exchange in one.exchanges}


def _counted(heard: Sequence[Heard], every: Mapping[str, Exchange], known: Set[str]) -> tuple[Taken, list[Exchange]]:
    """What becomes of the messages, and those that are new."""
    new = [exchange for mark, exchange in every.items() if mark not in known]
    result = Taken(len(new), sum(len(one.exchanges) for one in heard) - len(new))
    for one in heard:
        result.left_out += one.left_out
    result.owners = Counter((one.scope.partition, one.scope.user) for one in new)
    return result, new


def _memories(engine: Engine, exchanges: Sequence[Exchange]) -> list[Memory]:
    made = memories_of_each(exchanges, engine.settings.learn, engine.ledger.key)
    return [engine.redactor.memory(memory) for one in made for memory in one.memories]
