"""A circuit breaker: what failed several times in a row is not waited for, and is looked for in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Final

from litellm_memory.errors import AwayError, LiteLLMMemoryError

logger = logging.getLogger(__name__)

FAILURES: Final = 3
"""So many failures or missed deadlines in a row open a breaker."""
PAUSE_SECONDS: Final = 1.0
"""Pause between two looks at what is away."""


class Breaker:
    """Guards what requests wait for: the ledger, the store or the search process, called ``part`` in what is told.

    It opens after FAILURES in a row: requests then go on at once. It closes when ``look`` returns, which is called at
    once and then every PAUSE_SECONDS; ``look`` takes some seconds at most and raises LiteLLMMemoryError. So one that
    opened for no more than slow answers is closed again within milliseconds. Only what ``look`` does not find either
    is told: its sentence stands in ``away`` meanwhile.
    """

    def __init__(
        self,
        part: str,
        look: Callable[[], Awaitable[object]],
        *,
        away: MutableMapping[str, str],
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._part = part
        self._look = look
        self._away = away
        self._pause = pause
        self._failures = 0
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """True while requests go on without it."""
        return self._looking is not None and not self._looking.done()

    def check(self) -> None:
        """Raises AwayError while the breaker is open."""
        if self.is_open:
            raise AwayError(self._part)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Counts whether the body of the ``with`` fails or misses its deadline. Raises AwayError while open."""
        self.check()
        try:
            yield
        except (LiteLLMMemoryError, TimeoutError, asyncio.CancelledError):
            # A deadline around the body cancels it. So does a client that hangs up, for which the look is quick.
            self._failed()
            raise
        self._failures = 0

    async def aclose(self) -> None:
        """Ends looking."""
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES and not self.is_open:
            self._failures = 0
            self._looking = asyncio.create_task(self._look_until_it_answers())

    async def _look_until_it_answers(self) -> None:
        try:
            while (sentence := await self._seen()) is not None:
                if self._part not in self._away:
                    logger.error("Requests go on without the %s: %s", self._part, sentence)
                self._away[self._part] = sentence
                await self._pause(PAUSE_SECONDS)
            if self._part in self._away:
                logger.warning("The %s answers again.", self._part)
        finally:
            self._away.pop(self._part, None)

    async def _seen(self) -> str | None:
        """Why it is away; None when it answers."""
        try:
            await self._look()
        except LiteLLMMemoryError as error:
            return str(error)
        return None
