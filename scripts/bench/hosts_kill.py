"""The end of one host of two while both are at work, and what was said through it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx
from hosts_servers import PEOPLE, Numbers, asks_of, named, talk
from latency_figures import WITH_TAILS, percentile
from latency_rounds import Statuses, whole
from latency_servers import Server, killed, started_again
from latency_workload import ask, statement
from sqlalchemy import func, select

from litellm_memory.database.tables import journal

PAUSE_SECONDS: Final = 1.1
"""From the last answer of a host to its end: what it answered a second before is promised to be in PostgreSQL."""
WITHIN_SECONDS: Final = 10.0
"""How long the other host is asked for what was said, and its own requests are timed."""
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Kill:
    """One end of a host. ``recalled`` of what was ``said`` through it was recalled through the other within
    WITHIN_SECONDS, the last of it ``last_s`` after the end; ``waiting`` was in PostgreSQL, still to be learned, and
    ``brought_back`` was recalled once the host had started again.

    ``before_ms`` and ``after_ms``: of the other host's own requests; ``failed`` so many of them.
    """

    said: int
    recalled: int
    last_s: float
    waiting: int
    brought_back: int
    before_ms: dict[str, float]
    after_ms: dict[str, float]
    failed: int
    statuses: dict[str, int]


class Chats:
    """Requests to one host, one after the other, from ``__enter__`` to ``__exit__``."""

    def __init__(self, server: Server, numbers: Numbers) -> None:
        self.failed = 0
        self.statuses: Statuses = []
        self._server, self._numbers = server, numbers
        self._times: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._running: Future[None] = self._thread.submit(self._chat)
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._running.result()
        self._thread.shutdown()

    def go_on_until(self, moment: float) -> None:
        """Returns at this moment of ``perf_counter``."""
        self._ended.wait(max(0.0, moment - time.perf_counter()))

    def between(self, start: float, end: float) -> dict[str, float]:
        """Percentiles of the milliseconds of the requests that were sent from ``start`` to ``end``."""
        times = [taken for sent, taken in self._times if start <= sent < end]
        return {name: round(percentile(times, share), 2) for name, share in WITH_TAILS.items()}

    def _chat(self) -> None:
        while not self._ended.is_set():
            for said in talk(self._numbers):
                sent = time.perf_counter()
                try:
                    self._times.append((sent, whole(self._server.client, said, self.statuses)))
                except httpx.HTTPError:
                    self.failed += 1


def end_of_one(
    first: Server, second: Server, told: Sequence[int], requests: int, numbers: Numbers
) -> tuple[Server, Kill]:
    """Kills the first host while both are at work, and starts it again."""
    with Chats(second, numbers) as chats:
        began = time.perf_counter()
        for _, said in asks_of(numbers, requests):
            whole(first.client, said, [])
        for number in told:
            whole(first.client, ask(_person(number), [{"role": "user", "content": statement(number)}]), [])
        chats.go_on_until(time.perf_counter() + PAUSE_SECONDS)
        at = killed(first)
        found = _recalled(second, told, until=at + WITHIN_SECONDS)
        chats.go_on_until(at + WITHIN_SECONDS)
    missing = [number for number in told if number not in found]
    waiting = _waiting(second, missing)
    with named("first"):
        first = started_again(first)
    first.settle()
    back = _recalled(second, missing, until=time.perf_counter() + WITHIN_SECONDS)
    return first, Kill(
        said=len(told),
        recalled=len(found),
        last_s=round(max(found.values(), default=at) - at, 2),
        waiting=waiting,
        brought_back=len(back),
        before_ms=chats.between(began, at),
        after_ms=chats.between(at, at + WITHIN_SECONDS),
        failed=chats.failed,
        statuses=counted(chats.statuses),
    )


def _person(number: int) -> str:
    return PEOPLE[number % len(PEOPLE)]


def _recalled(server: Server, told: Sequence[int], *, until: float) -> dict[int, float]:
    """Which of these services a question would be given by this host until then, and when it was first seen."""
    found: dict[int, float] = {}
    with server.proxy.sidecar() as client:
        while True:
            for number in told:
                if number not in found and str(number) in _given(client, number):
                    found[number] = time.perf_counter()
            if len(found) == len(told) or time.perf_counter() > until:
                return {number: at for number, at in found.items() if at <= until}
            time.sleep(POLL_SECONDS)


def _given(client: httpx.Client, number: int) -> str:
    """The block that a question about this service would be given."""
    question = f"What does service {number} run on, and who looks after it?"
    asked: dict[str, Any] = {
        "path": "/v1/chat/completions",
        "headers": {"x-memory-user-id": _person(number)},
        "body": {"model": "gpt", "messages": [{"role": "user", "content": question}]},
    }
    return str(client.post("/v1/preview", json=asked).raise_for_status().json()["block"] or "")


def _waiting(server: Server, told: Sequence[int]) -> int:
    """How many of these statements PostgreSQL holds, still to be learned."""
    assert server.ledger is not None
    said = [statement(number) for number in told]
    query = select(func.count()).select_from(journal).where(journal.c.text.in_(said))
    return asyncio.run(server.ledger.database.read(lambda connection: int(connection.scalar(query) or 0)))


def counted(statuses: Statuses) -> dict[str, int]:
    """How many answers said what of their memory."""
    return dict(Counter(statuses).most_common())
