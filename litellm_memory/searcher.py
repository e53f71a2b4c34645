"""The search process of a data directory: `python -m litellm_memory.searcher --data-dir .../search --without-store`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from litellm_memory.store.owner import main
from litellm_memory.store.peer import Peer


class Searcher:
    """Searches for the workers that have told their settings."""

    def __init__(self, directory: Path) -> None:
        self._work: Any = None
        self._models: Any = None
        self._beginning = asyncio.Lock()
        self.answers: Mapping[str, Callable[..., Awaitable[object]]] = {
            "configure": self.configure,
            "find": self.find,
            "follow": self.follow,
            "here": self.here,
        }

    async def configure(self, peer: Peer, settings: Mapping[str, Any]) -> None:
        """Begins with these settings, or goes on with them; returns once ledger and store are open."""
        async with self._beginning:
            # In threads, because they take seconds; other workers wait here.
            models = await asyncio.to_thread(import_module, "litellm_memory.engine.workers_models")
            engine = await asyncio.to_thread(import_module, "litellm_memory.engine.search_work")
            told = engine.Settings.model_validate(settings)
            if self._work is None:
                self._models = models.WorkersModels()
                self._models.add(peer)
                self._work = engine.SearchWork(told, self._models)
                await self._work.open()
            else:
                self._models.add(peer)
                self._work.use(told)

    async def find(self, peer: Peer, question: bytes) -> bytes:
        """The answer to a worker's question. Raises LiteLLMMemoryError."""
        answer: bytes = await self._work.find(question)
        return answer

    async def follow(self, peer: Peer) -> None:
        """Returns once it has read what changed. Raises LiteLLMMemoryError."""
        await self._work.follow()

    async def here(self, peer: Peer) -> None:
        """Says that this process answers."""

    def left(self, peer: Peer) -> None:
        """Asks this worker nothing any more."""
        if self._models is not None:
            self._models.drop(peer)

    async def aclose(self) -> None:
        """Ends."""
        if self._work is not None:
            await self._work.aclose()


if __name__ == "__main__":
    sys.exit(main(serve=Searcher))
