"""Background work: tasks that run until they end or the engine closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

SHORT = 2000
"""Characters or bytes of a text that is worked on at once, on the event loop: that takes 0.3 ms, as long as switching
to a thread."""
RESTART_SECONDS = 2.0
"""Pause before an endless task that failed is restarted."""


class Background:
    """Keeps a reference to every task that runs in the background, and logs those that fail."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def runs(self) -> bool:
        """True while any task does."""
        return bool(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts a task that runs ``work`` until it ends or ``aclose`` cancels it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, run: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Starts an endless task: ``run`` is restarted when it fails."""
        return self.spawn(_restarted(run))

    async def aclose(self) -> None:
        """Cancels all tasks and waits until they have ended."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A background task failed (%s).", type(error).__name__)
            logger.debug("A background task failed", exc_info=error)


async def _restarted(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            return await run()
        # A bug, ours or a library's, may raise anything: it ends one run, not the task.
        except Exception as error:
            logger.error("A background task failed (%s) and is begun again.", type(error).__name__)
            logger.debug("A background task failed and is begun again", exc_info=True)
        await asyncio.sleep(RESTART_SECONDS)
