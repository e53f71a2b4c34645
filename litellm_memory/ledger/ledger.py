"""The ledger: the tables of one database, and operations that span them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from sqlalchemy import Connection

from litellm_memory.database.database import Database
from litellm_memory.database.facts import Facts
from litellm_memory.database.opening import prepare
from litellm_memory.errors import LedgerError
from litellm_memory.ledger import forgetting
from litellm_memory.ledger.answers import Answers
from litellm_memory.ledger.blocks import FrozenBlocks
from litellm_memory.ledger.calls import Calls
from litellm_memory.ledger.changes import Changes
from litellm_memory.ledger.dead_letters import DeadLetters
from litellm_memory.ledger.erasures import Erasures
from litellm_memory.ledger.figures import Figures
from litellm_memory.ledger.journal import Exchanges
from litellm_memory.ledger.listing import Listing
from litellm_memory.ledger.model_queue import ModelQueue
from litellm_memory.ledger.partitions import Partitions
from litellm_memory.ledger.paths import Paths
from litellm_memory.ledger.redaction import Redaction
from litellm_memory.ledger.removed import Removed
from litellm_memory.ledger.texts import Texts
from litellm_memory.ledger.traces import Traces
from litellm_memory.people.people import People
from litellm_memory.people.sayings import Sayings

Transaction: TypeAlias = Connection
"""An open transaction, in which rows of several tables change together."""


class CaughtUp(Protocol):
    """Returns once the tables hold all that requests left behind so far; ``rotate``: and no other file does."""

    async def __call__(self, *, rotate: bool = False) -> None:
        """Raises LedgerError or StoreError with ``rotate`` when that cannot be."""


class Ledger:
    """Every table of one database, each under its own name. ``url`` is SQLAlchemy's.

    Nothing works before ``connect`` has succeeded once. Raises SettingsError for a URL that names no database.
    """

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.blocks = FrozenBlocks(self.database)
        self.answers = Answers(self.database)
        self.journal = Exchanges(self.database)
        self.dead_letters = DeadLetters(self.database)
        self.texts = Texts(self.database)
        self.facts = Facts(self.database)
        self.paths = Paths(self.database)
        self.partitions = Partitions(self.database)
        self.changes = Changes(self.database, drop_block=lambda mark: self.drop_block(mark), drop_paths=self.paths.drop)
        self.listing = Listing(self.database)
        self.drop_block: Callable[[str], None] = self.blocks.drop
        """Removes a block from RAM that has changed in the database."""
        self.caught_up: CaughtUp = _at_once
        """Returns once the tables hold all that requests left behind so far; ``rotate``: and no other file does."""
        self.calls = Calls(self.database, caught_up=lambda: self.caught_up())
        self.traces = Traces(self.database, count=self.calls.learned, caught_up=lambda: self.caught_up())
        self.model_queue = ModelQueue(self.database)
        self.erasures = Erasures(self.database)
        self.redaction = Redaction(self.database)
        self.removed = Removed(self.database)
        self.people = People(self.database)
        self.sayings = Sayings(self.database, lambda: self.key)
        # A container's host name changes with every start; an SQLite ledger serves one host anyway.
        self.figures = Figures(self.database, host="" if self.database.is_sqlite else socket.gethostname())
        self._key: bytes | None = None

    @classmethod
    def open(cls, url: str) -> Ledger:
        """A connected ledger. Raises LedgerError, or SettingsError, with one sentence."""
        ledger = cls(url)
        with ExitStack() as unless_connected:
            # The writer's thread has to end.
            unless_connected.callback(ledger.close)
            ledger.connect()
            unless_connected.pop_all()
        return ledger

    def connect(self) -> None:
        """Opens the database and creates its tables; idempotent. Raises LedgerError. Blocks the calling thread."""
        if self._key is None:
            # What was paused is paused for the first request too.
            self._key, _ = self.database.open(prepare), self.database.open(lambda _: self.people.switches.load())

    @property
    def key(self) -> bytes:
        """The key of every keyed hash; without it, marks and memory ids cannot be guessed. Raises LedgerError."""
        if self._key is None:
            raise LedgerError("The ledger is not open yet.")
        return self._key

    @property
    def trouble(self) -> str | None:
        """Why the ledger cannot be written now, in one sentence that says what to do; None when it can."""
        return self.database.trouble

    async def ping(self) -> None:
        """Returns once the database answers and has committed what was written before. Takes some seconds at most.

        Raises LedgerError.
        """
        await self.database.ping()

    async def forget(self, memories: Sequence[tuple[str, str]]) -> None:
        """Removes (namespace, memory id) pairs from claims and frozen blocks, and publishes the change."""
        pairs = list(memories)
        # No file may hold a block as it was: a worker that starts would read it.
        await self.caught_up(rotate=True)
        for mark in await self.database.write(lambda c: forgetting.forget(c, pairs)):
            self.drop_block(mark)

    async def deleted(self, memories: Sequence[tuple[str, str]]) -> None:
        """Removes deleted (namespace, memory id) pairs from lists and from late claims, and publishes the change."""
        pairs = list(memories)
        await self.database.write(lambda c: forgetting.deleted(c, pairs))

    async def prune(self, now: datetime, *, calls_days: int) -> int:
        """Drops blocks and answers that nobody continues, and calls older than ``calls_days``; returns how many
        rows."""
        kept = timedelta(days=calls_days)
        return await self.database.write(lambda c: forgetting.prune(c, now, calls_kept=kept))

    async def scrub(self) -> None:
        """Vacuums an SQLite file, so that deleted data is gone; other writers wait meanwhile. Raises LedgerError."""
        await self.database.scrub()

    async def aclose(self) -> None:
        """Commits queued writes and closes."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Commits queued writes and closes. Blocks the calling thread."""
        self.calls.flush()
        self.database.close()


async def _at_once(*, rotate: bool = False) -> None:
    """Nothing is behind."""
