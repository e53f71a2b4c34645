"""One writer thread: queued writes are committed in batches, and each caller learns when its own is durable."""

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
"""At most this many writes per commit; bounds how long a caller waits for others."""
QUEUE = 10_000
"""At most this many writes wait while the database is unreachable; beyond that new ones are rejected."""
RETRY_SECONDS = 0.2
"""Pause before a failed commit is retried."""
SOON_SECONDS = 0.2
"""How long a write that nobody waits for may wait to share a commit: a commit costs more than a row."""
UNWRITABLE = "The ledger cannot be written"

Item: TypeAlias = tuple[Write[Any], "Future[Any]"]


class Writer:
    """Runs writes in order. While the database is locked, full, damaged or unreachable, it keeps and retries them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.Queue[Item | None] = queue.Queue(QUEUE)
        self._soon: deque[Item] = deque()
        self._closing = threading.Event()
        self.failure: Exception | None = None
        """The error of the latest write; None when it was committed."""
        self._thread = threading.Thread(target=self._run, name="litellm-memory-ledger", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many writes are not committed yet, except the batch in progress."""
        return self._queue.qsize() + len(self._soon)

    def submit(self, write: Write[T]) -> Future[T]:
        """A future of ``write``'s result, done once it is committed. Cancelling it withdraws a write that has not
        begun."""
        future: Future[T] = Future()
        try:
            self._queue.put_nowait((write, future))
        except queue.Full:
            future.set_exception(LedgerError(f"{UNWRITABLE}: {QUEUE} writes wait already."))
        return future

    def submit_soon(self, write: Write[T]) -> Future[T]:
        """As ``submit``, for a write that nobody waits for: committed with the next one, or after SOON_SECONDS."""
        if len(self._soon) >= QUEUE:
            return self.submit(write)
        future: Future[T] = Future()
        self._soon.append((write, future))
        return future

    def close(self, seconds: float = 5.0) -> None:
        """Commits queued writes for at most ``seconds``, then stops."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        open_ = True
        while open_:
            asked = self._next_batch()
            open_ = None not in asked
            # These were submitted earlier than the ones just taken from the queue.
            self._commit([*self._waiting_soon(), *(item for item in asked if item is not None)])

    def _next_batch(self) -> list[Item | None]:
        """A batch of writes that callers wait for, with a None once the writer closes; empty after SOON_SECONDS without
        any."""
        try:
            asked = [self._queue.get(timeout=SOON_SECONDS)]
        except queue.Empty:
            return []
        while len(asked) < BATCH and not self._queue.empty():
            asked.append(self._queue.get_nowait())
        return asked

    def _waiting_soon(self) -> list[Item]:
        return [self._soon.popleft() for _ in range(len(self._soon))]

    def _commit(self, items: list[Item]) -> None:
        """Commits all in one transaction; when that fails, each in its own, so that one failure cannot fail another's
        write."""
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
        """The results of these writes, committed in one transaction, or the exception."""
        try:
            with self._engine.begin() as connection:
                return [write(connection) for write in writes]
        # A write is any function of a caller: its exception belongs to that caller and must not end the thread.
        except Exception as error:
            logger.debug("A transaction of %d writes failed", len(writes), exc_info=True)
            return error
