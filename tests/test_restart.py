"""Stopped, killed, cut off: what was told is still known, and conversations go on byte for byte."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from bed.load import Load
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import CHECKOUT, Proxy

from litellm_memory.files.address import read_record

Message: TypeAlias = dict[str, str]

MEMORY = "My sister Anna plays the cello in Graz."
QUESTION = "Which instrument does my sister Anna play?"
ISOLATED = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]


@pytest.fixture(scope="module")
def proxy(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy that tests stop and kill; each leaves it running."""
    session_provider.reset()
    with Proxy(tmp_path_factory.mktemp("restart"), session_provider.url, memory={}) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def memories(proxy: Proxy) -> Iterator[Memories]:
    with proxy.sidecar() as client:
        memories = Memories(proxy, client)
        memories.wait_until_ready()
        yield memories


def said(*texts: str) -> list[Message]:
    """A conversation: person, assistant, person, ..."""
    return [{"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(texts)]


def episodes(found: Sequence[dict[str, Any]]) -> list[str]:
    return [memory["text"] for memory in found if memory["kind"] == "episode"]


def ask(proxy: Proxy, user: str, messages: Sequence[Message]) -> httpx.Response:
    body = {"model": "gpt", "messages": list(messages)}
    with proxy.client() as client:
        return client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": user}).raise_for_status()


def messages_sent(provider: Provider) -> list[str]:
    """The messages of every question that reached the provider, as they were written, without the last bracket."""
    return [_messages(received.raw.decode()) for received in provider.take() if received.method == "POST"]


def _messages(body: str) -> str:
    start = body.index("[", body.index('"messages"'))
    _, end = json.JSONDecoder().raw_decode(body, start)
    return body[start : end - 1]


def test_after_a_restart_everything_is_known_and_conversations_go_on_byte_for_byte(
    proxy: Proxy, memories: Memories, session_provider: Provider
) -> None:
    memories.add(MEMORY, user="ada")
    conversation = said(
        QUESTION, "The cello.", "And where does my sister Anna live?", "In Graz.", "Thank you for that."
    )
    ask(proxy, "ada", conversation[:1])
    ask(proxy, "ada", conversation[:3])
    [_, before] = messages_sent(session_provider)
    ask(proxy, "ada", said("I moved to Turin last summer."))
    proxy.stop()
    proxy.start()
    memories.wait_until_ready()
    session_provider.take()

    ask(proxy, "ada", conversation)
    [after] = messages_sent(session_provider)
    assert MEMORY in before
    assert after.startswith(before)
    assert ask(proxy, "ada", said("What does Anna play?")).headers["x-memory-status"] == "injected"
    found = memories.wait_for("ada", lambda found: bool(mentioning(found, "Turin")), within=20)
    assert len(mentioning(found, MEMORY)) == 1


@pytest.fixture(scope="module")
def workers(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy of two workers, for the long form alone."""
    with Proxy(tmp_path_factory.mktemp("kills"), session_provider.url, memory={}, workers=2) as proxy:
        yield proxy


def kill_owner(proxy: Proxy) -> None:
    kill_owner_of(proxy.directory / "memory")


def kill_searcher(proxy: Proxy) -> None:
    kill_owner_of(proxy.directory / "memory" / "search")


def kill_owner_of(directory: Path) -> None:
    owner = read_record(directory)
    if owner is not None:
        with suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGKILL)


def kill_worker(proxy: Proxy) -> None:
    listed = subprocess.run(["ps", "-eo", "ppid=,pid="], check=True, capture_output=True, text=True).stdout
    [first, *_] = [int(line.split()[1]) for line in listed.splitlines() if int(line.split()[0]) == proxy.pid]
    os.kill(first, signal.SIGKILL)


def kill_proxy(proxy: Proxy) -> None:
    proxy.kill()
    proxy.start()


KILLS: dict[str, Callable[[Proxy], None]] = {
    "proxy": kill_proxy,
    "owner": kill_owner,
    "searcher": kill_searcher,
    "worker": kill_worker,
}


@pytest.mark.parametrize(
    ("running", "kills"),
    [
        pytest.param("proxy", ("proxy", "owner", "searcher"), id="one worker"),
        pytest.param("workers", ("worker", "owner", "proxy", "searcher") * 25, id="two", marks=pytest.mark.long),
    ],
)
def test_kills_under_load_lose_and_double_nothing(
    running: str, kills: Sequence[str], request: pytest.FixtureRequest
) -> None:
    """The times until memory works again are printed with ``-rP``."""
    proxy: Proxy = request.getfixturevalue(running)
    loads: list[Load] = []
    with proxy.sidecar() as client:
        memories = Memories(proxy, client)
        memories.wait_until_ready(within=60)
        for number, killed in enumerate(kills):
            load = Load(proxy, f"killed {running} {number}")
            with load.running():
                load.wait_for_more()
                load.kills.append(time.monotonic())
                KILLS[killed](proxy)
                answers = time.monotonic() - load.kills[0]
                memories.wait_until_ready(within=60)
                ready = time.monotonic() - load.kills[0]
                load.wait_for_more()
                print(f"{number} {killed}: LiteLLM answers after {answers:.1f} s, memory is ready after {ready:.1f} s")
            loads.append(load)
        assert {load.user: lost_in_the_end(load, memories) for load in loads} == {load.user: [] for load in loads}
        assert {load.user: load.doubled(memories) for load in loads} == {load.user: [] for load in loads}
        print(f"{sum(len(load.due()) for load in loads)} were due in {len(kills)} rounds")


def lost_in_the_end(load: Load, memories: Memories) -> list[str]:
    """What is not there after all that waits in the journal should have been learned."""
    deadline = time.monotonic() + 60
    while (lost := load.lost(memories)) and time.monotonic() < deadline:
        load.proxy.wait_for_exit(within=0.2)
    return lost


def test_after_the_owner_process_was_killed_memory_is_back_within_seconds(proxy: Proxy, memories: Memories) -> None:
    memories.add(MEMORY, user="bert")
    owner = read_record(proxy.directory / "memory")
    assert owner is not None
    os.kill(owner.pid, signal.SIGKILL)
    assert ask(proxy, "bert", said(QUESTION)).json()["choices"][0]["message"]["content"] == "Noted."
    deadline = time.monotonic() + 20
    for number in itertools.count():
        again = ask(proxy, "bert", said(f"{QUESTION} I ask for the {number}th time."))
        if again.headers["x-memory-status"] == "injected":
            break
        assert time.monotonic() < deadline
    memories.wait_until_ready()
    assert len(mentioning(memories.of("bert"), MEMORY)) == 1


def test_after_the_search_process_was_killed_requests_go_on_and_memory_is_back(
    proxy: Proxy, memories: Memories
) -> None:
    memories.add(MEMORY, user="cleo")
    searcher = read_record(proxy.directory / "memory" / "search")
    assert searcher is not None
    assert ask(proxy, "cleo", said(QUESTION)).headers["x-memory-status"] == "injected"
    os.kill(searcher.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    for number in itertools.count():
        again = ask(proxy, "cleo", said(f"{QUESTION} I ask for the {number}th time."))
        assert again.json()["choices"][0]["message"]["content"] == "Noted."
        if again.headers["x-memory-status"] == "injected":
            break
        assert (again.headers["x-memory-status"] in ("error", "late"), time.monotonic() < deadline) == (True, True)
    memories.wait_until_ready()


def isolated(*command: str) -> subprocess.CompletedProcess[str]:
    """A command in a network namespace of its own, where nothing but loopback is up."""
    path = os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests")))
    script = f"ip link set lo up && exec {shlex.join(command)}"
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([*ISOLATED, "sh", "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_memory_works_where_there_is_no_network(tmp_path: Path) -> None:
    if not Path("/proc/self/ns/net").exists() or isolated("true").returncode != 0:
        pytest.skip("a network namespace of one's own is not permitted here")
    told = isolated(sys.executable, "-m", "bed.offline", str(tmp_path), MEMORY, QUESTION)
    assert MEMORY in told.stdout, told.stderr
