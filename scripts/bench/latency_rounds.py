"""One round of each measurement: the same requests to both proxies, timed, with the processor time they took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from typing import TypeAlias

import httpx
from latency_processes import cpu_seconds, switches
from latency_servers import Server
from latency_workload import Ask

Statuses: TypeAlias = list[str]
"""What each answer said of its memory."""

Send: TypeAlias = Callable[[httpx.Client, Ask, Statuses], float]

CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor milliseconds a request: of LiteLLM's process, of the others, and of all that serve it; and how often
    LiteLLM's main thread stopped."""

    worker: float
    keeper: float
    searcher: float
    all: float
    switches: float


@dataclass(frozen=True, slots=True)
class Round:
    """What one server did in one round: milliseconds of each request, or requests a second when sent side by side."""

    cost: Cost
    late: Sequence[float]
    """Milliseconds that each beat of its event loop was late."""
    times: Sequence[float] = ()
    per_second: float = 0.0
    settle_s: float = 0.0


def whole(client: httpx.Client, ask: Ask, statuses: Statuses) -> float:
    """Milliseconds until the answer to ``ask`` is there."""
    start = time.perf_counter()
    response = client.post("/v1/chat/completions", content=ask.body, headers=_headers(ask))
    taken = time.perf_counter() - start
    _noted(response, statuses)
    return taken * 1000


def first_token(client: httpx.Client, ask: Ask, statuses: Statuses) -> float:
    """Milliseconds until the first word of the streamed answer to ``ask`` is there. Returns when all of it is."""
    taken = 0.0
    start = time.perf_counter()
    with client.stream("POST", "/v1/chat/completions", content=ask.body, headers=_headers(ask)) as response:
        _noted(response, statuses)
        for line in response.iter_lines():
            if not taken and _has_text(line):
                taken = time.perf_counter() - start
    return taken * 1000


def in_turns(servers: tuple[Server, Server], asks: Sequence[Ask], send: Send, statuses: Statuses) -> list[Round]:
    """Each request to one server and then to the other, who is first in turns."""
    times: dict[int, list[float]] = {server.worker: [] for server in servers}
    began = time.time()
    before = [_used(server) for server in servers]
    for number, ask in enumerate(asks):
        for server in servers if number % 2 else servers[::-1]:
            times[server.worker].append(send(server.client, ask, statuses))
    settled = [server.settle() for server in servers]
    return [
        Round(_cost(start, server, len(asks)), server.late(began), times[server.worker], settle_s=settle)
        for start, server, settle in zip(before, servers, settled, strict=True)
    ]


def side_by_side(server: Server, conversations: Sequence[Sequence[Ask]], statuses: Statuses) -> Round:
    """The conversations over CONNECTIONS connections at once, each in its own order."""
    asks = sum(map(len, conversations))
    before, began = _used(server), time.time()
    start = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(lambda asks: [whole(server.client, ask, statuses) for ask in asks], conversations))
    per_second = asks / (time.perf_counter() - start)
    settle = server.settle()
    return Round(_cost(before, server, asks), server.late(began), per_second=per_second, settle_s=settle)


def idle(servers: Sequence[Server], seconds: float) -> list[dict[str, float]]:
    """Percent of one core that each process of each server uses while nobody asks anything."""
    before = [_each(server) for server in servers]
    time.sleep(seconds)
    return [
        {name: (value - start[name]) / seconds * 100 for name, value in _each(server).items()}
        for start, server in zip(before, servers, strict=True)
    ]


def _each(server: Server) -> dict[str, float]:
    return {name: cpu_seconds([pid]) for name, pid in server.named.items()}


def _headers(ask: Ask) -> dict[str, str]:
    return {"content-type": "application/json", "x-memory-user-id": ask.user}


def _noted(response: httpx.Response, statuses: Statuses) -> None:
    response.raise_for_status()
    status = response.headers.get("x-memory-status")
    if status:
        statuses.append(status)


def _has_text(line: str) -> bool:
    data = line.removeprefix("data: ")
    if not data.startswith("{"):
        return False
    return any(choice["delta"].get("content") for choice in json.loads(data)["choices"])


def _used(server: Server) -> Cost:
    """Processor seconds and switches so far."""
    keeper, searcher = (cpu_seconds([pid] if pid else []) for pid in (server.keeper, server.searcher))
    return Cost(cpu_seconds([server.worker]), keeper, searcher, cpu_seconds(server.processes), switches(server.worker))


def _cost(before: Cost, server: Server, requests: int) -> Cost:
    now = _used(server)
    *seconds, stops = ((b - a) / requests for a, b in zip(astuple(before), astuple(now), strict=True))
    return Cost(*(value * 1000 for value in seconds), stops)
