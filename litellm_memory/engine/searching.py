"""The worker's side of the search process, which all workers of a host share."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, cast

import orjson

from litellm_memory.engine.health import Health
from litellm_memory.engine.search_work import answered, asked
from litellm_memory.errors import StoreError
from litellm_memory.ledger.blocks import memories_beside
from litellm_memory.memories import Memories
from litellm_memory.memories.breaker import Breaker
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import Recollection
from litellm_memory.models import Recalled
from litellm_memory.request.finding import FoundBlock, Look, Question
from litellm_memory.settings import Settings, revealed
from litellm_memory.store.link import TEND_SECONDS, Answer, Connection, Link

DIRECTORY: Final = "search"
"""In the data directory: the lock, the socket and the log of the search process."""
IDLE_SECONDS: Final = 5.0
"""How long it outlives its last worker: it keeps the owner running, which leaves ten seconds after it."""
SEARCH_SECONDS: Final = 10.0
"""How long a search may take that no request waits for."""
FOLLOW_SECONDS: Final = 2.0
"""How long a change waits until the search process has read it."""
LOOK_SECONDS: Final = 2.0
"""How long it may take to say that it is there."""
OPEN_SECONDS: Final = 60.0
"""How long the search process may take to open ledger and store."""
MOST_AHEAD: Final = 8
"""Searches that are begun and not asked for yet; of more, the oldest is given up."""
AHEAD: Final = timedelta(seconds=1)
"""How old a search may be when it is asked for: a request that somebody held up longer searches anew."""


class _Begun(NamedTuple):
    """A search that was begun before anybody asked for it."""

    at: datetime
    answer: asyncio.Future[object]


class Searching:
    """Asks the search process of the data directory, which is started when there is none.

    It ends some seconds after its last worker; while it is away, requests go on without new memories.
    """

    def __init__(self, data_dir: Path, settings: Callable[[], Settings], health: Health, answer: Answer | None) -> None:
        self._settings = settings
        self._health = health
        self._connection: Connection | None = None
        self._ahead: OrderedDict[tuple[Query, Look], _Begun] = OrderedDict()
        self._breaker = Breaker("search", self._look, away=health.away)
        self._link = Link(
            data_dir / DIRECTORY,
            greet=self._configure,
            answer=answer,
            idle_seconds=IDLE_SECONDS,
            holds_store=False,
            module="litellm_memory.searcher",
        )

    async def __call__(self, query: Query, look: Look, *, now: datetime) -> FoundBlock:
        """The block for a query. Raises StoreError when the search process fails, and AwayError at once when it, or
        what it needs, has failed several times."""
        begun = self._begun(query, look, now)
        with self._breaker.watch():
            found = answered(cast(bytes, await begun.answer) if begun else await self._search(query, look, now))
        asked_of = [one.namespace for one in (query.scope, query.shared) if one is not None]
        if memories_beside(found.block, *asked_of) or found.block.mark != look.mark:
            raise StoreError("The search process answered with memories of another person.")
        return replace(found, ahead_ms=(now - begun.at) / timedelta(milliseconds=1)) if begun else found

    def ahead(self, question: Question) -> None:
        """Begins a search. Its result is given to whoever asks the very same question within AHEAD, else to nobody."""
        query, look, now = question
        if self._connection is None or self._connection.gone or self._breaker.is_open or (query, look) in self._ahead:
            return
        # Not in a task: that would begin when LiteLLM, which is busy with the request by now, first waits.
        self._ahead[query, look] = _Begun(now, self._connection.begin("find", asked(query, look, now)))
        if len(self._ahead) > MOST_AHEAD:
            self._ahead.popitem(last=False)[1].answer.cancel()

    def _begun(self, query: Query, look: Look, now: datetime) -> _Begun | None:
        """The search that was begun for this; None when none was, or long ago, or it has failed."""
        begun = self._ahead.pop((query, look), None)
        if begun is None or now - begun.at > AHEAD or begun.answer.cancelled():
            return None
        return None if begun.answer.done() and begun.answer.exception() else begun

    def _forget_ahead(self) -> None:
        """Nothing of what was begun is given to anybody any more."""
        while self._ahead:
            self._ahead.popitem()[1].answer.cancel()

    async def _search(self, query: Query, look: Look, now: datetime) -> bytes:
        return await self._ask(self._settings().recall.deadline_ms / 1000, asked(query, look, now))

    async def hits(self, query: Query, *, now: datetime) -> list[tuple[str, float, Mapping[str, float]]]:
        """The ids of the memories for a query, best first, with scores and their parts. Raises StoreError."""
        return [
            (memory, score, why)
            for memory, score, why in orjson.loads(await self._ask(SEARCH_SECONDS, asked(query, None, now)))
        ]

    async def _ask(self, seconds: float, question: bytes) -> bytes:
        return cast(bytes, await self._here().ask(seconds, "find", question))

    async def follow(self) -> None:
        """Returns once the search process has read what changed, or is away: it reads that when it is back."""
        self._forget_ahead()
        if self._connection is not None and not self._connection.gone:
            with suppress(StoreError):
                await self._connection.ask(FOLLOW_SECONDS, "follow")

    async def begin(self) -> None:
        """Returns once the search process answers."""
        await self._tend()
        while self._connection is None:
            await asyncio.sleep(TEND_SECONDS)
            await self._tend()

    async def run(self) -> None:
        """Keeps the connection until cancelled."""
        while True:
            await asyncio.sleep(TEND_SECONDS)
            await self._tend()

    async def configure(self) -> None:
        """Tells the search process the settings, which have changed."""
        self._forget_ahead()
        if self._connection is not None and not self._connection.gone:
            await self._configure(self._connection)

    async def aclose(self) -> None:
        """Closes the connection."""
        self._forget_ahead()
        await self._breaker.aclose()
        await self._link.aclose()

    def _here(self) -> Connection:
        if self._connection is None or self._connection.gone:
            raise StoreError("The search process is away: the next is started within a second.")
        return self._connection

    async def _look(self) -> None:
        await self._here().ask(LOOK_SECONDS, "here")

    async def _tend(self) -> None:
        try:
            self._connection = await self._link.connected()
            self._health.search = None
        except StoreError as error:
            self._health.search = f"Nothing is recalled now: {error}"

    async def _configure(self, connection: Connection) -> None:
        await connection.ask(OPEN_SECONDS, "configure", revealed(self._settings()))


class RecallElsewhere:
    """As ``Recall``, by the search process, so that a worker has no index in RAM: it reads what was found."""

    def __init__(self, searching: Searching, memories: Memories) -> None:
        self._searching = searching
        self._memories = memories

    async def __call__(self, query: Query, *, now: datetime) -> Recollection:
        """The memories for a query. Raises StoreError when the search process is away or fails."""
        hits = await self._searching.hits(query, now=now)
        ids = [memory_id for memory_id, _, _ in hits]
        entries = await self._memories.entries(query.scope.partition, ids)
        if query.shared is not None:
            entries += await self._memories.entries(query.shared.partition, ids)
        seen = {memory.id: memory for memory in entries if query.covers(memory)}
        return Recollection([Recalled(seen[found], score, why) for found, score, why in hits if found in seen])
