"""What is being written: in the store already, and not yet known to whoever searches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

SETTLE_SECONDS: Final = 5.0
"""How long a reader waits for what is being written; then it is shown what may be found a moment later."""


class UnderWay:
    """The writing of this process, and of the process of this host that ``elsewhere`` asks."""

    def __init__(self) -> None:
        self.elsewhere: Callable[[], Awaitable[None]] = _nowhere
        self._writing: set[asyncio.Future[None]] = set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """While this is open, something is being written."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writing.add(over)
        try:
            yield
        finally:
            self._writing.discard(over)
            over.set_result(None)

    async def settled(self) -> None:
        """Returns once all that this host has begun to write can be found, or takes too long."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=SETTLE_SECONDS)
        await self.elsewhere()


async def _nowhere() -> None:
    """No other process writes."""
