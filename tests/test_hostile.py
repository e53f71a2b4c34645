"""Malformed and hostile bodies on every route: the client gets what it gets from LiteLLM without memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import httpx
import orjson
import pytest
from bed.compare import steady
from bed.engines import opened_engine
from bed.hostile import Hostile, hostile
from bed.memories import Memories
from bed.provider import Provider
from bed.proxy import Proxy

from litellm_memory.engine import Request
from litellm_memory.models import Caller
from litellm_memory.wire.content import is_longer
from litellm_memory.wire.recognition import BY_PATH

Answer: TypeAlias = tuple[int | str, bytes]
"""The status, or how the connection broke, and the steady body."""

MEMORY = "My sister Anna plays the cello in Graz."
SHORT, WHOLE = 150, 2000


@pytest.fixture(scope="module")
def bare(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """LiteLLM without memory."""
    with Proxy(tmp_path_factory.mktemp("bare"), session_provider.url) as proxy:
        yield proxy


def answered(client: httpx.Client, request: Hostile, key: str, *, memory: bool) -> Answer:
    """What ``request`` is answered; headers for memory go along where there is any."""
    headers: dict[str, str | bytes] = {**request.route.headers(key), "content-type": "application/json"}
    if memory:
        headers |= {"x-memory-user-id": "hostile"}
        headers |= {name: value.encode() for name, value in request.headers.items()}
    try:
        answer = client.post(
            request.route.path, params=dict(request.route.query), headers=headers, content=request.body
        )
    except httpx.TransportError as error:
        return type(error).__name__, b""
    return answer.status_code, steady(answer.content)


def differing(proxy: Proxy, bare: Proxy, requests: Sequence[Hostile]) -> list[tuple[str, Answer, Answer]]:
    """The requests that memory changes the answer to, with both answers."""
    found = []
    with (
        httpx.Client(base_url=proxy.url, timeout=60, trust_env=False, verify=False) as one,
        httpx.Client(base_url=bare.url, timeout=60, trust_env=False, verify=False) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        for request in requests:
            with_memory = pool.submit(answered, one, request, proxy.master_key, memory=True)
            without = pool.submit(answered, other, request, bare.master_key, memory=False)
            if with_memory.result() != without.result():
                found.append((str(request), with_memory.result(), without.result()))
    return found


@pytest.mark.parametrize(
    "count",
    [pytest.param(SHORT, id="short"), pytest.param(WHOLE, id="whole", marks=pytest.mark.long)],
)
def test_a_hostile_body_gets_litellms_own_answer(count: int, proxy: Proxy, memories: Memories, bare: Proxy) -> None:
    memories.add(MEMORY, user="hostile")
    requests = list(hostile(count))
    assert differing(proxy, bare, requests) == []
    assert "Memory failed" not in proxy.log
    memories.wait_until_ready()


def test_hostile_requests_reach_every_route_and_most_are_read_by_litellm() -> None:
    requests = list(hostile(SHORT))
    assert {request.number for request in requests} == set(range(SHORT))
    assert len({request.route.id for request in requests}) == len({request.route.id for request in hostile(WHOLE)})
    assert len({request.body for request in hostile(WHOLE)}) > WHOLE * 0.8


async def test_no_hostile_body_stops_its_reading(tmp_path: Path) -> None:
    read = 0
    async with opened_engine(tmp_path) as engine:
        for request in hostile(WHOLE, seed=2):
            try:
                body = orjson.loads(request.body)
            except orjson.JSONDecodeError:
                continue
            if isinstance(body, dict):
                is_longer(body, 10)
                route, headers = request.route.path, request.headers
                await engine.before.question(Request("call", BY_PATH, route, headers, body, Caller(master=True)))
                read += 1
    assert read > WHOLE / 2
