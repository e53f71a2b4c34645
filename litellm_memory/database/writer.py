"""One writer thread: queued writes are committed in batches, and each caller learns when its own is durable."""

from __future__ import annotations

import logging
import queue
import threading
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
UNWRITABLE = "The ledger cannot be written"

Item: TypeAlias = tuple[Write[Any], "Future[Any]"]


class Writer:
    """Runs writes in order. While the database is locked, full, damaged or unreachable, it keeps and retries them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.Queue[Item | None] = queue.Queue(QUEUE)
        self._closing = threading.Event()
        self.failure: Exception | None = None
        """The error of the latest write; None when it was committed."""
        self._thread = threading.Thread(target=self._run, name="litellm-memory-ledger", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many writes are not committed yet, except the batch in progress."""
        return self._queue.qsize()

    def submit(self, write: Write[T]) -> Future[T]:
        """A future of ``write``'s result, done once it is committed. Cancelling it withdraws a write that has not
        begun."""
        future: Future[T] = Future()
        try:
            self._queue.put_nowait((write, future))
        except queue.Full:
            future.set_exception(LedgerError(f"{UNWRITABLE}: {QUEUE} writes wait already."))
        return future

    def close(self, seconds: float = 5.0) -> None:
        """Commits queued writes for at most ``seconds``, then stops."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        open_ = True
        while open_:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            open_ = None not in batch
            self._commit([item for item in batch if item is not None])

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
