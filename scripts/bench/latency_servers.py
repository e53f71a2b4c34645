"""The two proxies that are compared, alike but for memory, and a store that is full before one of them starts."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
from bed.memories import Memories
from bed.proxy import Proxy
from bed.pulse import lateness
from latency_processes import cpu_seconds, family
from latency_workload import USERS, memory_texts
from numpy.typing import NDArray

from litellm_memory.embedding import LocalModel, find_model
from litellm_memory.files.address import lock_path, read_record
from litellm_memory.files.locks import open_lock, take_lock
from litellm_memory.identity.partition import MASTER_PARTITION
from litellm_memory.journal.log import Log
from litellm_memory.ledger import Ledger
from litellm_memory.models import Memory, namespace
from litellm_memory.settings import LearnSettings, RecallSettings, Settings
from litellm_memory.store import Entry, memory_id, open_store

PULSE = "pulse"
LONGEST_LEARNING = 120.0
"""Seconds that learning may lag behind before the benchmark gives up."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds until a proxy answered, the processor seconds of that, and seconds until memory was ready."""

    live_s: float
    cpu_s: float
    ready_s: float | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """One proxy at work. ``ledger`` is that of its memory, None without."""

    proxy: Proxy
    client: httpx.Client
    start: Start
    ledger: Ledger | None = None
    keeper: int | None = None
    """The process id of the keeper, which owns the store."""
    searcher: int | None = None
    """The process id of the search process."""

    def late(self, since: float) -> list[float]:
        """Milliseconds that the beats of its event loop were late since then (seconds since the epoch)."""
        return lateness(self.proxy.directory / PULSE, since=since)

    @property
    def worker(self) -> int:
        """The process id of LiteLLM."""
        return self.proxy.pid

    @property
    def processes(self) -> list[int]:
        """All that serves it: LiteLLM, keeper and search process, and their children."""
        roots = (self.worker, self.keeper, self.searcher)
        return sorted({pid for root in roots if root for pid in family(root)})

    @property
    def named(self) -> dict[str, int]:
        """Its processes by what they do."""
        named = {"worker": self.worker, "keeper": self.keeper, "search process": self.searcher}
        return {name: pid for name, pid in named.items() if pid is not None}

    def settle(self) -> float:
        """Seconds until everything that was said is learned; 0 without memory."""
        start = time.perf_counter()
        while self.ledger is not None and asyncio.run(_waits(self.ledger, self.proxy.directory / "memory")):
            if time.perf_counter() - start > LONGEST_LEARNING:
                raise RuntimeError(f"learning lags behind:\n{self.proxy.log[-4000:]}")
            time.sleep(0.02)
        return time.perf_counter() - start


async def _waits(ledger: Ledger, data_dir: Path) -> bool:
    """True while something lies in the journal, or in the ledger, that is still to be learned."""
    log = Log(data_dir / "journal")
    if await ledger.facts.taken_over(log.id) < log.end():
        return True
    return bool(await ledger.journal.unlearned())


@contextmanager
def without_memory(directory: Path, provider: str) -> Iterator[Server]:
    """LiteLLM alone."""
    proxy = _proxy(directory, provider)
    began = time.perf_counter()
    with proxy, proxy.client() as client:
        yield Server(proxy, client, _started(proxy, began))


@contextmanager
def with_memory(
    directory: Path, provider: str, *, memories: int, gated: bool = True, grow: Callable[[Path], None] | None = None
) -> Iterator[Server]:
    """The same with the plugin at its defaults and a store of so many memories. ``grow`` adds others to its files.

    Without ``gated`` its steps for a gateway are left out.
    """
    data_dir = directory / "memory"
    asyncio.run(_fill(Settings(data_dir=data_dir), memories))
    if grow is not None:
        grow(data_dir)
    with host(directory, provider, gated=gated) as server:
        yield server


@contextmanager
def host(directory: Path, provider: str, *, gated: bool = True, **memory: object) -> Iterator[Server]:
    """A proxy with the plugin at its defaults but for the sections of ``memory``, in a data directory of its own."""
    data_dir = directory / "memory"
    defaults = {
        "recall": RecallSettings().model_dump(include={"deadline_ms", "min_score"}),
        "learn": LearnSettings().model_dump(include={"meaning"}),
    }
    callbacks = ["litellm_memory.handler", *([] if gated else ["bed.ungated.ungated"])]
    proxy = _proxy(directory, provider, *callbacks, memory={**defaults, **memory}, gated=gated)
    began = time.perf_counter()
    try:
        with proxy, proxy.client() as client:
            live = _started(proxy, began)
            keeper, searcher = _ready(proxy)
            start = Start(live.live_s, live.cpu_s, time.perf_counter() - began)
            ledger = Ledger.open(Settings.model_validate({"data_dir": data_dir, **memory}).ledger_url)
            try:
                yield Server(proxy, client, start, ledger, keeper, searcher)
            finally:
                ledger.close()
    finally:
        # Only now: a worker would start others.
        _end(data_dir / "search")
        _end(data_dir)


def killed(server: Server) -> float:
    """Kills all that serves it at once, as a host's end does; the time of that, on the clock of ``perf_counter``."""
    processes = server.processes
    at = time.perf_counter()
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.proxy.kill()
    return at


def started_again(server: Server) -> Server:
    """The same host with new processes, which find its files as they were left."""
    server.proxy.start()
    keeper, searcher = _ready(server.proxy)
    return replace(server, keeper=keeper, searcher=searcher)


def _ready(proxy: Proxy) -> tuple[int, int]:
    """The process ids of its keeper and its search process, once memory is ready."""
    with proxy.sidecar() as sidecar:
        Memories(proxy, sidecar).wait_until_ready()
    data_dir = proxy.directory / "memory"
    keeper, searcher = read_record(data_dir), read_record(data_dir / "search")
    assert keeper is not None
    assert searcher is not None
    return keeper.pid, searcher.pid


def _end(directory: Path) -> None:
    """Ends the process of a directory, which would wait some seconds for another worker, and returns when it has."""
    if (record := read_record(directory)) is None:
        return
    with open_lock(lock_path(directory)) as lock:
        # One that was killed has left its record, and its number may be another's by now.
        if take_lock(lock):
            return
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
        while not take_lock(lock):
            time.sleep(0.05)


def _proxy(
    directory: Path,
    provider: str,
    *callbacks: str,
    memory: Mapping[str, object] | None = None,
    gated: bool = True,
) -> Proxy:
    return Proxy(
        directory,
        provider,
        memory=memory,
        models=_models(provider),
        config={"litellm_settings": {"callbacks": [*callbacks, "bed.pulse.pulse"]}},
        environment={"BED_PULSE": str(directory / PULSE), **({} if gated else {"BED_UNGATED": "1"})},
    )


def _models(provider: str) -> list[dict[str, object]]:
    given = {"model": "openai/gpt-4o-mini", "api_key": "sk-provider", "api_base": f"{provider}/v1"}
    return [{"model_name": "gpt", "litellm_params": given}]


def _started(proxy: Proxy, began: float) -> Start:
    return Start(time.perf_counter() - began, cpu_seconds(family(proxy.pid)))


def entries(users: Sequence[str], count: int) -> list[Entry]:
    """``count`` memories. Every user has the same texts, so that each text is embedded once."""
    texts = memory_texts(-(-count // len(users)))
    each = zip(texts, _vectors(texts), strict=True)
    return [Entry(_memory(user, text), vector) for text, vector in each for user in users][:count]


async def _fill(settings: Settings, count: int) -> None:
    settings.data_dir.mkdir(mode=0o700, parents=True)
    store = await open_store(
        settings.store, settings.data_dir, embedder=LocalModel.identity, dimension=LocalModel.dimension
    )
    try:
        await store.put(entries(USERS, count))
    finally:
        await store.aclose()


def _vectors(texts: Sequence[str]) -> Sequence[NDArray[np.float32] | None]:
    directory = find_model()
    if directory is None:
        return [None] * len(texts)
    model = LocalModel.open(directory)
    try:
        return list(model.embed(texts))
    finally:
        model.close()


def _memory(user: str, text: str) -> Memory:
    return Memory(
        id=memory_id(namespace(MASTER_PARTITION, user), text, key=b"benchmark"),
        partition=MASTER_PARTITION,
        user=user,
        text=text,
        kind="fact",
        created=datetime.now(UTC),
        tokens=len(text) // 4,
    )
