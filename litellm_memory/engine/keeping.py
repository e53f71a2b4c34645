"""The worker's side of the keeper: its settings, its questions to the models, and what it has caught up with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from litellm_memory.engine.health import Health
from litellm_memory.engine.work import Work
from litellm_memory.errors import StoreError
from litellm_memory.settings import Settings, revealed
from litellm_memory.store.link import TEND_SECONDS, Answer, Connection, Link

logger = logging.getLogger(__name__)

ASK_EVERY: Final = 2
"""Every so many looks the keeper is asked how it fares."""
CATCH_UP_SECONDS: Final = 5.0
"""How long a reader waits for the keeper to catch up; then it reads what there is."""
CONFIGURE_SECONDS: Final = 10.0


class Keeping:
    """The connection of one worker to the keeper of its data directory, which is started when there is none.

    ``answer`` answers what the keeper asks of the models that LiteLLM can call, None where there are none;
    ``changed`` is called when the keeper has changed memories.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: Callable[[], Settings],
        health: Health,
        answer: Answer | None,
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._health = health
        embedded = settings().store.mode == "embedded"
        self._link = Link(data_dir, greet=self._configure, answer=answer, noticed=changed, holds_store=embedded)
        self._begun = False

    async def run(self) -> None:
        """Keeps the connection until cancelled."""
        self._begun = True
        looks = 0
        while True:
            try:
                await self._link.connected()
                if looks % ASK_EVERY == 0:
                    await self._ask_how_it_fares()
                looks += 1
            except StoreError as error:
                self._health.learning = f"Nothing is learned now: {error}"
            await asyncio.sleep(TEND_SECONDS)

    async def configure(self) -> None:
        """Tells the keeper the settings, which have changed."""
        with suppress(StoreError):
            await self._configure(await self._link.connected())

    async def caught_up(self, *, rotate: bool = False) -> None:
        """Returns once the ledger holds all that was appended so far; ``rotate``: and no file of the journal does.

        When the keeper does not answer, the ledger lags behind. With ``rotate`` that raises StoreError.
        """
        # A command on the data of a stopped proxy only has to wake the keeper for what is to be erased.
        if not (self._begun or rotate):
            return
        try:
            await self._link.ask(CATCH_UP_SECONDS, "catch_up", rotate)
        except StoreError as error:
            if rotate:
                raise
            logger.debug("The ledger lags behind: %s", error)

    async def settled(self) -> None:
        """Returns once what the keeper has begun to write can be found, or the keeper does not answer."""
        if self._begun:
            with suppress(StoreError):
                await self._link.ask(CATCH_UP_SECONDS, "settled")

    async def aclose(self) -> None:
        """Closes the connection; the keeper goes on for a while with what waits."""
        await self._link.aclose()

    async def _configure(self, connection: Connection) -> None:
        await connection.ask(CONFIGURE_SECONDS, "configure", revealed(self._settings()))

    async def _ask_how_it_fares(self) -> None:
        fares: Any = await self._link.ask(CATCH_UP_SECONDS, "fares")
        self._health.hear(fares)


class KeepingHere:
    """As ``Keeping``, in this process: for a host without Unix sockets, where one worker serves."""

    def __init__(self, settings: Callable[[], Settings], health: Health, work: Callable[[Settings], Work]) -> None:
        self._settings = settings
        self._health = health
        self._make = work
        self._work: Work | None = None

    async def run(self) -> None:
        """Keeps until cancelled."""
        if self._work is None:
            self._work = self._make(self._settings())
            self._work.begin()
        while True:
            self._health.hear(self._work.fares)
            await asyncio.sleep(TEND_SECONDS * ASK_EVERY)

    async def configure(self) -> None:
        """Applies the settings, which have changed."""
        if self._work is not None:
            self._work.use(self._settings())

    async def caught_up(self, *, rotate: bool = False) -> None:
        """As ``Keeping.caught_up``."""
        if self._work is not None:
            await self._work.catch_up(rotate=rotate)

    async def settled(self) -> None:
        """As ``Keeping.settled``."""
        if self._work is not None:
            await self._work.settled()

    async def aclose(self) -> None:
        """Ends; what waits stays in the journal."""
        if self._work is not None:
            await self._work.aclose()
