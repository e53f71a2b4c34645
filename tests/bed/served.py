"""The page of an engine, served on loopback from a thread: for a real browser, which needs a port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any, Self

import uvicorn

from bed.engines import opened_engine
from bed.made_up import ADA, USER
from litellm_memory.engine import Engine, Request
from litellm_memory.identity import partition_of
from litellm_memory.models import Caller, Memory, memory_id, namespace
from litellm_memory.page import with_page
from litellm_memory.sidecar import create_app

Authenticate = Callable[[Mapping[str, str]], Awaitable[Caller]]


class ServedPage:
    """An engine with its page at ``url``, from ``__enter__`` to ``__exit__``."""

    engine: Engine

    def __init__(self, data_dir: Path, authenticate: Authenticate, **settings: Any) -> None:
        self._opened = opened_engine(data_dir, **settings)
        self._authenticate = authenticate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="served page", daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.engine = self.run(self._opened.__aenter__())
        app = with_page(create_app(self.engine, self._authenticate))
        self._server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
        self._serving: Future[None] = asyncio.run_coroutine_threadsafe(self._server.serve([self._socket]), self._loop)
        return self

    def __exit__(self, *raised: Any) -> None:
        self._server.should_exit = True
        self._serving.result(60)
        self.run(self._opened.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()
        self._socket.close()

    def add(self, *texts: str) -> None:
        """Keeps these, said by the made-up person."""
        for text in texts:
            self.add_as_it_is(text)

    def add_as_it_is(self, text: str, review: str | None = None) -> str:
        """The id of a memory whose text is written to the store without being read."""
        now = datetime.now(UTC)
        space = namespace(self.partition, USER)
        named = memory_id(space, text, now.isoformat(), key=self.engine.ledger.key)
        memory = Memory(named, self.partition, USER, text, "fact", now, valid_from=now, review=review)
        assert self.run(self.engine.memories.restore([memory])) == 1
        return named

    def ask(self, name: str, *said: str) -> None:
        """A request of the made-up person, whose trace gets this name; every other text is an answer."""
        roles = cycle(("user", "assistant"))
        messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
        headers = {"x-memory-user-id": USER}
        self.run(
            self.engine.before(
                Request(name, "acompletion", "/v1/chat/completions", headers, {"messages": messages}, ADA)
            )
        )

    def forget(self, memory: str) -> None:
        self.run(self.engine.memories.forget(self.partition, memory))

    def texts(self, begin: str) -> list[str]:
        """The texts in force or waiting that begin so."""
        held: list[Memory] = self.run(self.engine.memories.all(self.partition, None))
        return sorted(memory.text for memory in held if memory.text.startswith(begin))

    @property
    def partition(self) -> str:
        """Of the made-up person."""
        return str(partition_of(ADA, self.engine.settings.identity.partition))

    def run(self, work: Any) -> Any:
        """What a coroutine returns that runs in the engine's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)
