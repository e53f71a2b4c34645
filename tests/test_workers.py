"""Several workers on one embedded store: what one learned all recall, nothing is lost or doubled, one of each thing."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy

from litellm_memory.files.address import read_record

JSON: TypeAlias = dict[str, Any]

MEMORY = "My sister Anna plays the cello in Graz."
QUESTION = "Which instrument does my sister Anna play?"
WORKERS = 2
HEADER = "x-bed-worker"
"""As ``bed.worker`` has it, which only LiteLLM imports."""
PEOPLE = ("ada", "bert", "cleo", "dan", "eve")
EXCHANGES = 200
AT_ONCE = 32
PROCESSES = Path("/proc")

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def proxy(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Two workers."""
    session_provider.reset()
    callbacks = {"litellm_settings": {"callbacks": ["litellm_memory.handler", "bed.worker.worker", "prometheus"]}}
    directory = tmp_path_factory.mktemp("workers")
    # LiteLLM's own choice for it is one directory for all proxies of a machine.
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(directory / "figures")}
    with Proxy(
        directory, session_provider.url, memory={}, config=callbacks, environment=environment, workers=WORKERS
    ) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def memories(proxy: Proxy) -> Iterator[Memories]:
    with proxy.sidecar() as client:
        memories = Memories(proxy, client)
        memories.wait_until_ready()
        yield memories


def ask(proxy: Proxy, user: str, words: str) -> httpx.Response:
    """The answer to one question, over a connection of its own, so that any worker may get it."""
    body = {"model": "gpt", "messages": [{"role": "user", "content": words}]}
    with proxy.client() as client:
        return client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": user}).raise_for_status()


def ask_until(proxy: Proxy, user: str, enough: Callable[[dict[int, str]], bool], *, within: float) -> dict[int, str]:
    """The newest status of each worker that answered, as soon as these are enough. Each question is a new one."""
    statuses: dict[int, str] = {}
    deadline = time.monotonic() + within
    while not enough(statuses):
        assert time.monotonic() < deadline, statuses
        answer = ask(proxy, user, f"{QUESTION} This is question {next(_numbers)}.")
        statuses[int(answer.headers[HEADER])] = answer.headers["x-memory-status"]
    return statuses


def workers_of(proxy: Proxy) -> dict[int, list[int]]:
    """The ports that each worker listens on, by its process id, once all workers have been seen."""
    seen: dict[int, list[int]] = {}
    deadline = time.monotonic() + 60
    while len(seen) < WORKERS:
        assert time.monotonic() < deadline, seen
        with proxy.client() as client:
            told = client.get("/bed/worker").json()
        seen[told["pid"]] = told["listens"]
    return seen


def test_what_one_worker_learned_all_recall_within_five_seconds(proxy: Proxy, memories: Memories) -> None:
    # Both have the person's memories in RAM before there is one.
    ask_until(proxy, "anna", lambda statuses: len(statuses) == WORKERS, within=30)
    told = ask(proxy, "anna", MEMORY)
    assert told.headers["x-memory-status"] == "empty"
    ask_until(
        proxy,
        "anna",
        lambda statuses: len(statuses) == WORKERS and set(statuses.values()) == {"injected"},
        within=5,
    )


def test_the_figures_of_all_workers_stand_on_both_pages(proxy: Proxy, memories: Memories) -> None:
    seen: list[int] = []
    with proxy.sidecar() as sidecar, proxy.client() as litellm:
        while len(seen) < 10 or len(set(seen)) < WORKERS:
            assert len(seen) < 500
            seen.append(ask_from_codex(proxy))
        deadline = time.monotonic() + 10
        while not counted(sidecar) == counted(litellm) == len(seen):
            assert time.monotonic() < deadline, (counted(sidecar), counted(litellm), len(seen))
            time.sleep(0.1)


def ask_from_codex(proxy: Proxy) -> int:
    """The worker that answered. No other test of this module asks as Codex does."""
    body = {"model": "gpt", "messages": [{"role": "user", "content": QUESTION}]}
    with proxy.client() as client:
        client.headers["user-agent"] = "codex_cli_rs/0.50.0"
        return int(client.post("/v1/chat/completions", json=body).raise_for_status().headers[HEADER])


def counted(client: httpx.Client) -> float:
    """How many requests of Codex memory counted, as the metrics of LiteLLM or of the sidecar have it."""
    page = client.get("/metrics", follow_redirects=True).raise_for_status().text
    figures = [line for line in page.splitlines() if line.startswith('litellm_memory_requests_total{client="codex"')]
    return sum(float(line.rsplit(" ", 1)[1]) for line in figures)


async def test_many_exchanges_at_once_lose_and_double_nothing(proxy: Proxy, memories: Memories) -> None:
    told = [
        (PEOPLE[number % len(PEOPLE)], f"Box {number} in my cellar holds blue marbles.") for number in range(EXCHANGES)
    ]
    free = asyncio.Semaphore(AT_ONCE)
    bearer = {"authorization": f"Bearer {proxy.master_key}"}
    async with httpx.AsyncClient(
        base_url=proxy.url, headers=bearer, timeout=120, trust_env=False, verify=False
    ) as client:

        async def tell(number: int, person: str, words: str) -> tuple[int, str]:
            body = {"model": "gpt", "stream": number % 2 == 0, "messages": [{"role": "user", "content": words}]}
            async with free:
                answer = await client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": person})
            return answer.status_code, answer.headers[HEADER]

        answers = await asyncio.gather(*(tell(number, *said) for number, said in enumerate(told)))
    assert {status for status, _ in answers} == {200}
    assert len({worker for _, worker in answers}) == WORKERS
    for person in PEOPLE:
        said = [words for whose, words in told if whose == person]
        found = memories.wait_for(person, lambda found: len(found) >= EXCHANGES // len(PEOPLE), within=120)
        assert Counter(memory["text"] for memory in found) == Counter(said)


def test_one_owner_process_serves_all_workers(proxy: Proxy, memories: Memories) -> None:
    data_dir = proxy.directory / "memory"
    owner = read_record(data_dir)
    assert owner is not None
    if not (PROCESSES / "self" / "cwd").exists():
        pytest.skip("the system does not show where its processes are")
    # An owner goes to its directory.
    places = {place: place.parent.name for place in PROCESSES.glob("[0-9]*/cwd")}
    assert [int(pid) for place, pid in places.items() if os.path.realpath(place) == str(data_dir)] == [owner.pid]


def test_another_worker_takes_the_sidecar_over(proxy: Proxy, memories: Memories) -> None:
    memories.add(MEMORY, user="zoe")
    before = workers_of(proxy)
    [serving] = [pid for pid, ports in before.items() if proxy.sidecar_port in ports]
    os.kill(serving, signal.SIGKILL)
    memories.wait_until_ready()
    assert len(mentioning(memories.of("zoe"), MEMORY)) == 1
    deadline, taken_over = time.monotonic() + 60, list[int]()
    while not taken_over:
        assert time.monotonic() < deadline
        taken_over = [pid for pid, ports in workers_of(proxy).items() if proxy.sidecar_port in ports]
    assert (len(taken_over), serving in taken_over) == (1, False)
