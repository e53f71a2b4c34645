"""Conversations of any length: they are worked through in a thread, and in pieces where only the event loop may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

MOST_AT_ONCE: Final = 1000
"""Messages, parts, and hundreds of characters of the person that are read on the event loop: that takes 9 ms at the
most. More are read in a thread."""
MOST_READ: Final = 40_000
"""As many are read at all: 4 MB of a person's words. Letting go of more would hold up the event loop."""
MOST_BLOCKS_AT_ONCE: Final = 500
"""Messages of the person whose blocks are looked up at once, in 2 ms; and blocks that are put into a body there."""

# One thread, because each more that computes delays the event loop by another switch of the GIL.
_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="litellm-memory-read")


async def done(work: Callable[[], T], *, apart: bool) -> T:
    """What ``work`` returns; with ``apart`` it is done in the thread for long conversations."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work) if apart else work()


async def pieces(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """``items`` in pieces of MOST_BLOCKS_AT_ONCE: whatever else waits for the event loop comes between two of them."""
    for start in range(0, len(items), MOST_BLOCKS_AT_ONCE):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + MOST_BLOCKS_AT_ONCE]
