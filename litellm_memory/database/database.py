"""The ledger's database: reads in threads, writes by one writer, and LedgerError for whatever fails."""

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

    Nothing can be read or written before ``open`` has succeeded once. Whatever fails raises LedgerError.
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
        """Why nothing can be written at this moment, in one sentence that says what to do; None when all is well."""
        if self._writer.failure is None:
            return None
        return str(failed(UNWRITABLE, self._writer.failure, remedy="check its disk, and what else uses it"))

    def open(self, prepare: Callable[[Engine], T]) -> T:
        """What ``prepare`` returns, which makes the tables and brings them up to date. Blocks the calling thread."""
        try:
            make_file(self.engine)
            return prepare(self.engine)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise failed("The ledger cannot be opened", error, remedy="check `ledger.url` and `data_dir`") from None

    async def read(self, read: Callable[[Connection], T]) -> T:
        """What ``read`` finds. It sees what is committed, not the writes that still wait."""

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
        """Rewrites an SQLite file without what was deleted, and empties its log; other writers wait meanwhile.

        Another database is its operator's to vacuum.
        """
        if not self.is_sqlite:
            return
        try:
            await asyncio.to_thread(scrub, self.engine)
        except SQLAlchemyError as error:
            raise failed("The ledger's file cannot be rewritten", error) from None

    def close(self) -> None:
        """Commits what waits and closes. Blocks the calling thread."""
        self._writer.close()
        self._readers.shutdown()
        self.engine.dispose()
