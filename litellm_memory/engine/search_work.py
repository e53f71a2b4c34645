"""The search process of a host: one index of each user's memories for all workers, and the model for questions."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import orjson

from litellm_memory import meaning
from litellm_memory.embedding import Embedders
from litellm_memory.engine.health import Health
from litellm_memory.engine.housekeeping import Housekeeping
from litellm_memory.engine.workers_models import WorkersModels
from litellm_memory.errors import AwayError, StoreError
from litellm_memory.ledger import Ledger, TracedMemory
from litellm_memory.memories import Memories
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import Recall
from litellm_memory.models import Block, BlockStyle, Given, Scope
from litellm_memory.redact import Redactor
from litellm_memory.request.background import Background
from litellm_memory.request.finding import Finder, FoundBlock, Look
from litellm_memory.settings import Settings
from litellm_memory.store.link import TEND_SECONDS, Connection, Link

logger = logging.getLogger(__name__)

LISTEN_SECONDS: Final = 10.0
_SETS: Final = frozenset(field.name for field in fields(Query) if "frozenset" in str(field.type))


class SearchWork:
    """Searches for workers, from their settings on. ``models`` are LiteLLM's, reached through a worker."""

    def __init__(self, settings: Settings, models: WorkersModels) -> None:
        self._models = models
        self._ledger = Ledger(settings.ledger_url)
        self._embedders = Embedders(settings, models)
        self._memories = Memories(self._ledger, count=_uncounted)
        self._memories.vectors.has_loop = True
        self._recall = Recall(self._memories, self._ledger.paths)
        self._health = Health()
        self._background = Background()
        self._housekeeping = Housekeeping(
            lambda: self._settings, self._ledger, self._memories, self._embedders, self._health
        )
        self._keeper = Link(
            settings.data_dir,
            greet=_listen,
            noticed=self._housekeeping.changed,
            holds_store=settings.store.mode == "embedded",
        )
        self._find = Finder(lambda: self._redactor, self._recall)
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Applies new settings."""
        self._settings = settings
        self._redactor = self._embedders.redactor = Redactor.of(settings.learn)
        tune(self._memories, settings)

    async def open(self) -> None:
        """Opens ledger and store, and returns once both are open."""
        await self._models.learn_names(self._settings.embedding.model)
        await self._housekeeping.open_with_retries()
        self._background.spawn(self._housekeeping.warm_up())
        self._background.keep(self._housekeeping.run)
        self._background.keep(self._listen)

    async def follow(self) -> None:
        """Reads what other processes changed. Raises LiteLLMMemoryError."""
        await self._memories.follow()

    async def find(self, question: bytes) -> bytes:
        """The answer to a question that ``asked`` made; past the recall deadline, nobody waits for it any more.

        Raises LiteLLMMemoryError.
        """
        if not self._health.opened:
            raise StoreError("The store of memories is not open yet.")
        query, look, now = _question(question)
        if look is None:
            found = await self._recall(query, now=now)
            return orjson.dumps([(item.memory.id, item.score, item.why) for item in found.recalled])
        try:
            async with asyncio.timeout(self._settings.recall.deadline_ms / 1000):
                return orjson.dumps(await self._find(query, look, now=now))
        except AwayError as error:
            return orjson.dumps({"away": error.part})
        except TimeoutError:
            return orjson.dumps({"late": True})

    async def aclose(self) -> None:
        """Closes everything."""
        await self._background.aclose()
        await self._keeper.aclose()
        await self._ledger.aclose()
        await self._memories.aclose()
        self._recall.close()
        self._embedders.close()

    async def _listen(self) -> None:
        """Keeps the connection to the keeper, which tells when memories have changed, until cancelled."""
        while True:
            try:
                await self._keeper.connected()
            except StoreError as error:
                logger.debug("No keeper: %s", error)
            await asyncio.sleep(TEND_SECONDS)


def asked(query: Query, look: Look | None, now: datetime) -> bytes:
    """A question to another process; without ``look`` for the ids, scores and their parts instead of a block."""
    return orjson.dumps((query, look, now), default=list)


def answered(answer: bytes) -> FoundBlock:
    """The answer of another process. Raises AwayError when what that needs is away, and TimeoutError."""
    found = orjson.loads(answer)
    if "away" in found:
        raise AwayError(found["away"])
    if "late" in found:
        raise TimeoutError
    block = found["block"]
    given = tuple(Given(**one) for one in block["given"])
    candidates = tuple(TracedMemory(**one) for one in found["candidates"])
    return FoundBlock(Block(block["mark"], block["text"], given), candidates)


def tune(memories: Memories, settings: Settings) -> None:
    """Divides the deadline of a recall between its steps."""
    memories.vectors.query_vector_timeout_s = (
        min(settings.embedding.timeout_ms, settings.recall.deadline_ms * 2 / 3) / 1000
    )
    memories.vectors.mode = settings.embedding.query
    memories.vectors.needed = meaning.needed if settings.recall.meaning and meaning.installed() else None
    memories.scope_load_timeout_s = settings.recall.deadline_ms / 3 / 1000


def _question(question: bytes) -> tuple[Query, Look | None, datetime]:
    query, look, now = orjson.loads(question)
    sets = {name: frozenset(query[name]) for name in _SETS}
    shared = query["shared"] and Scope(**query["shared"])
    built = {"scope": Scope(**query["scope"]), "shared": shared, "layout": _style(query["layout"])}
    asked_for = Query(**{**query, **sets, **built})
    how = None if look is None else Look(**{**look, "layout": _style(look["layout"])})
    return asked_for, how, datetime.fromisoformat(now)


def _style(style: dict[str, Any] | None) -> BlockStyle | None:
    return BlockStyle(**style) if style else None


def _uncounted(text: str) -> int:
    raise AssertionError("the search process keeps no memories")


async def _listen(connection: Connection) -> None:
    await connection.ask(LISTEN_SECONDS, "listen")
