"""One thread that writes: what waits is committed together, and each caller learns when its own part is durable."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from litellm_memory.database.failures import BROKEN, failed, kind_of
from litellm_memory.errors import LedgerError

logger = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[Connection], T]

BATCH = 64
"""Most writes in one commit: a caller never waits behind more than these."""
QUEUE = 10_000
"""Most writes that wait while the database is away; past that the newest are refused."""
RETRY_SECONDS = 0.2
"""How long the writer waits before it tries again what the database did not take."""
SOON_SECONDS = 0.2
"""How long a write that nobody waits for may wait for another to be committed with: a commit costs more than a row."""
UNWRITABLE = "The ledger cannot be written"

Item: TypeAlias = tuple[Write[Any], "Future[Any]"]


class Writer:
    """Runs writes in order. While the database is locked, full, damaged or away it keeps them and tries again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.Queue[Item | None] = queue.Queue(QUEUE)
        self._soon: deque[Item] = deque()
        self._closing = threading.Event()
        self.failure: Exception | None = None
        """What the newest write met; None when it was committed."""
        self._thread = threading.Thread(target=self._run, name="litellm-memory-ledger", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many writes are not committed yet, at most one batch left out."""
        return self._queue.qsize() + len(self._soon)

    def submit(self, write: Write[T]) -> Future[T]:
        """A future of ``write``'s result, done once it is committed. Cancel it to take back a write not yet begun."""
        future: Future[T] = Future()
        try:
            self._queue.put_nowait((write, future))
        except queue.Full:
            future.set_exception(LedgerError(f"{UNWRITABLE}: {QUEUE} writes wait already."))
        return future

    def submit_soon(self, write: Write[T]) -> Future[T]:
        """As ``submit``, for what nobody waits for: committed with the next write, or after SOON_SECONDS."""
        if len(self._soon) >= QUEUE:
            return self.submit(write)
        future: Future[T] = Future()
        self._soon.append((write, future))
        return future

    def close(self, seconds: float = 5.0) -> None:
        """Commits what waits, for at most ``seconds``, then stops."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        open_ = True
        while open_:
            asked = self._asked()
            open_ = None not in asked
            # What waits was noted before what was just asked for, so it comes first.
            self._commit([*self._waited(), *(item for item in asked if item is not None)])

    def _asked(self) -> list[Item | None]:
        """The writes that somebody waits for, and None once there will be no more; empty when none came for a while."""
        try:
            asked = [self._queue.get(timeout=SOON_SECONDS)]
        except queue.Empty:
            return []
        while len(asked) < BATCH and not self._queue.empty():
            asked.append(self._queue.get_nowait())
        return asked

    def _waited(self) -> list[Item]:
        return [self._soon.popleft() for _ in range(len(self._soon))]

    def _commit(self, items: list[Item]) -> None:
        """All of them in one transaction; when that fails, each write in its own, so that none fails another."""
        batch = [item for item in items if item[1].set_running_or_notify_cancel()]
        if not batch:
            return
        results = self._committed([write for write, _ in batch])
        if isinstance(results, Exception):
            for write, future in batch:
                self._commit_alone(write, future)
            return
        self.failure = None
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

    def _commit_alone(self, write: Write[T], future: Future[T]) -> None:
        while isinstance(result := self._committed([write]), Exception):
            broken = type(result) in BROKEN
            if not broken or self._closing.is_set():
                self.failure = result if broken else None
                future.set_exception(failed(UNWRITABLE, result) if isinstance(result, SQLAlchemyError) else result)
                return
            if self.failure is None:
                logger.warning("The ledger cannot be written (%s); trying again.", kind_of(result))
            self.failure = result
            self._closing.wait(RETRY_SECONDS)
        self.failure = None
        future.set_result(result[0])

    def _committed(self, writes: Sequence[Write[Any]]) -> list[Any] | Exception:
        """The results of these writes, committed in one transaction, or what one of them or the database raised."""
        try:
            with self._engine.begin() as connection:
                return [write(connection) for write in writes]
        # A write is any function of a caller's: what it raises is for that caller, and must not end the thread of all.
        except Exception as error:
            logger.debug("A transaction of %d writes failed", len(writes), exc_info=True)
            return error
