"""The owner process of a data directory, with the keeper: `python -m litellm_memory.keeper --data-dir ...`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from litellm_memory.store.owner import main
from litellm_memory.store.peer import Peer

NICE: Final = 5
"""How far the process steps back behind the proxy."""


class Keeper:
    """What the owner of ``data_dir`` does besides: soon after the first worker came, it keeps memories.

    Until then it imports neither the ledger nor a model, which takes longer than all else that an owner does.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._settings: Mapping[str, Any] = {}
        self._work: Any = None
        self._models: Any = None
        self._peers: dict[Peer, None] = {}
        self._workers: dict[Peer, None] = {}
        self._waiting: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self.answers: Mapping[str, Callable[..., Awaitable[object]]] = {
            "configure": self.configure,
            "listen": self.listen,
            "catch_up": self.catch_up,
            "settled": self.settled,
            "fares": self.fares,
        }

    async def configure(self, peer: Peer, settings: Mapping[str, Any]) -> None:
        """Begins with these settings once there is work, or goes on with them. Raises LiteLLMMemoryError."""
        self._settings = settings
        self._peers[peer] = self._workers[peer] = None
        if self._work is not None:
            self._models.add(peer)
            self._work.use(type(self._work.settings).model_validate(settings))
        elif self._waiting is None:
            self._waiting = asyncio.create_task(self._begin_when_needed())

    async def listen(self, peer: Peer) -> None:
        """From now on this process is told when memories have changed."""
        self._peers[peer] = None

    async def catch_up(self, peer: Peer, rotate: bool) -> None:
        """Returns once the ledger holds all that was appended so far. Raises LedgerError."""
        if self._settings and await self._has_begun():
            await self._work.catch_up(rotate=rotate)

    async def settled(self, peer: Peer) -> None:
        """Returns once what it has begun to write can be found."""
        if self._work is not None:
            await self._work.settled()

    async def fares(self, peer: Peer) -> dict[str, str | None]:
        """What an operator has to know: a sentence by part; None for one that works."""
        if self._work is not None:
            fares: dict[str, str | None] = self._work.fares
            return fares
        failed = self._waiting.exception() if self._waiting and self._waiting.done() else None
        return {"learning": f"The keeper cannot begin ({type(failed).__name__})." if failed else None, "ledger": None}

    def left(self, peer: Peer) -> None:
        """Asks this worker nothing any more."""
        self._peers.pop(peer, None)
        self._workers.pop(peer, None)
        if self._models is not None:
            self._models.drop(peer)

    async def _begin_when_needed(self) -> None:
        beginning = await asyncio.to_thread(import_module, "litellm_memory.engine.beginning")
        await beginning.has_work(self._data_dir, self._settings)
        await self._begin()

    async def _has_begun(self) -> bool:
        """True once it works; False while there is nothing to do."""
        beginning = await asyncio.to_thread(import_module, "litellm_memory.engine.beginning")
        if self._work is None and beginning.holds_records(self._data_dir):
            await self._begin()
        return self._work is not None

    async def _begin(self) -> None:
        async with self._beginning:
            if self._work is not None:
                return
            os.nice(NICE)
            # In threads, because they take a second.
            engine = await asyncio.to_thread(import_module, "litellm_memory.engine.work")
            models = await asyncio.to_thread(import_module, "litellm_memory.engine.workers_models")
            self._models = models.WorkersModels()
            for worker in self._workers:
                self._models.add(worker)
            self._work = engine.Work(
                engine.Settings.model_validate(self._settings),
                models=self._models,
                count=count_tokens,
                named=self._models.learn_names,
                changed=self._tell_workers,
            )
            self._work.begin()

    async def _tell_workers(self) -> None:
        """Tells all workers that memories have changed."""
        for peer in self._peers:
            peer.notice()

    async def aclose(self) -> None:
        """Ends; what waits stays in the journal."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)
        if self._work is not None:
            await self._work.aclose()


def count_tokens(text: str) -> int:
    """The number of tokens of ``text``, as ``llm.count_tokens`` has it, without LiteLLM, whose import takes seconds."""
    return len(_encoding().encode(text, disallowed_special=()))


@cache
def _encoding() -> Any:
    import tiktoken

    found = find_spec("litellm")
    if found is not None and found.submodule_search_locations:
        bundled = Path(found.submodule_search_locations[0], "litellm_core_utils", "tokenizers")
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(bundled))
    return tiktoken.get_encoding("cl100k_base")


if __name__ == "__main__":
    sys.exit(main(serve=Keeper))
