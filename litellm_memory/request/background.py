"""Work beside the requests: tasks that run until they end or the engine closes, and threads for long texts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

SHORT = 2000
"""Characters or bytes up to which a text is redacted and an answer is read at once (0.3 ms): a thread costs as much."""
RESTART_SECONDS = 2.0
"""Pause before a duty that failed is begun again."""


class Background:
    """Keeps a reference to every task that runs in the background, and logs those that fail."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The task that runs ``work`` until it ends or ``aclose``."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, run: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """The task of an endless duty: ``run`` is begun again when a defect ends it."""
        return self.spawn(_kept(run))

    async def aclose(self) -> None:
        """Cancels what runs and waits until it has ended."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A background task failed (%s).", type(error).__name__)
            logger.debug("A background task failed", exc_info=error)


async def _kept(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            return await run()
        # A defect, ours or a library's, may end one round of a duty, but not the duty.
        except Exception as error:
            logger.error("A background task failed (%s) and is begun again.", type(error).__name__)
            logger.debug("A background task failed and is begun again", exc_info=True)
        await asyncio.sleep(RESTART_SECONDS)


async def off_loop(size: int, work: Callable[[], T]) -> T:
    """What ``work`` returns on a text of ``size``; in a thread when it is long, so that no other request waits."""
    return work() if size <= SHORT else await asyncio.to_thread(work)
