"""The ledger's database: reads in threads, writes by one writer thread, and LedgerError for every failure."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from litellm_memory.database.engine import engine_for, make_file, scrub
from litellm_memory.database.failures import failed
from litellm_memory.database.writer import UNWRITABLE, Writer

T = TypeVar("T")


class Database:
    """SQLite in WAL mode for all processes of one host, or any database that SQLAlchemy's URL names.

    Nothing can be read or written before ``open`` has succeeded once. Every failure is a LedgerError.
    """

    def __init__(self, url: str) -> None:
        self.engine = engine_for(url)
        self._writer = Writer(self.engine)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="litellm-memory-ledger-read")

    @property
    def is_sqlite(self) -> bool:
        """True for a file of this host, False for a server that several hosts may share."""
        return self.engine.dialect.name == "sqlite"

    @property
    def trouble(self) -> str | None:
        """Why the database cannot be written now, in one sentence that says what to do; None when it can."""
        if self._writer.failure is None:
            return None
        return str(failed(UNWRITABLE, self._writer.failure, remedy="check its disk, and what else uses it"))

    def open(self, prepare: Callable[[Engine], T]) -> T:
        """The result of ``prepare``, which creates or migrates the tables. Blocks the calling thread."""
        try:
            make_file(self.engine)
            return prepare(self.engine)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise failed("The ledger cannot be opened", error, remedy="check `ledger.url` and `data_dir`") from None

    async def read(self, read: Callable[[Connection], T]) -> T:
        """The result of ``read``, which sees committed data only, not queued writes."""

        def run() -> T:
            with self.engine.connect() as connection:
                return read(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except SQLAlchemyError as error:
            raise failed("The ledger cannot be read", error) from None

    async def write(self, write: Callable[[Connection], T]) -> T:
        """The result of ``write`` once it is committed, after all writes that were submitted before."""
        return await asyncio.wrap_future(self._writer.submit(write))

    def submit(self, write: Callable[[Connection], T]) -> Future[T]:
        """As ``write``, for a caller that does not wait: a future of the result."""
        return self._writer.submit(write)

    def submit_soon(self, write: Callable[[Connection], T]) -> Future[T]:
        """As ``submit``, committed together with the next write, which saves a commit."""
        return self._writer.submit_soon(write)

    async def scrub(self) -> None:
        """Vacuums an SQLite file and truncates its WAL, so that deleted data is gone; other writers wait meanwhile.

        Vacuuming another database is up to its operator.
        """
        if not self.is_sqlite:
            return
        try:
            await asyncio.to_thread(scrub, self.engine)
        except SQLAlchemyError as error:
            raise failed("The ledger's file cannot be rewritten", error) from None

    def close(self) -> None:
        """Commits queued writes and closes. Blocks the calling thread."""
        self._writer.close()
        self._readers.shutdown()
        self.engine.dispose()
