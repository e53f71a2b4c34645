"""What the page takes with many memories in one partition, and what a proxy's requests lose while somebody browses.

LiteLLM's proxy as a process, with the plugin at its defaults, over loopback; made-up texts and random vectors. Times
are from the request to the end of the answer, so a millisecond of each is HTTP. First the routes, in a proxy that has
just started; then rounds of requests to LiteLLM, in turns with nobody on the page and with somebody who browses.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final

import httpx
import latency_provider as provider
from bed.memories import Memories
from growth import PARTITION, Speech, build, end_owner
from latency_figures import P99, WITH_TAILS, added, percentile, percentiles
from latency_processes import cpu_seconds
from latency_rounds import whole
from latency_servers import Server, with_memory
from latency_workload import TURNS, USERS, Ask, conversation

FIRST_VIEW_MS, SEARCH_P95_MS = 300.0, 150.0
"""What people wait for at most: for the list when they open the page, and after each letter that they type."""
REST: Final = 0.2
"""Seconds that the page waits after a letter before it searches, as ``rested`` in its scripts."""
LOADED_AFTER_FAST: Final = 5
"""So many searches in a row within the goal: the scope is in RAM."""
LONGEST_LOAD: Final = 300.0
LONGEST_LISTING: Final = 600.0
TYPED: Final = "search as you type"


class Tab:
    """The page, open in a browser and signed in as an operator who looks at one partition."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=120, trust_env=False)
        signed_in = self._client.post("/api/session", json={"key": key})
        signed_in.raise_for_status()
        self._headers = {"x-csrf-token": signed_in.json()["csrf"]}

    def close(self) -> None:
        self._client.close()

    def file(self, path: str) -> httpx.Response:
        """One of the page's own files."""
        return self._client.get(path)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self._client.get(f"/api/v1/{path}", params={"partition": PARTITION, **query})

    def browse(self, **asked: Any) -> httpx.Response:
        return self._client.post(f"/api/v1/browse?partition={PARTITION}", json=asked, headers=self._headers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=1, help="that the memories are spread over")
    parser.add_argument("--repeats", type=int, default=100, help="requests of each kind to the page (default 100)")
    parser.add_argument("--requests", type=int, default=60, help="requests to LiteLLM a round (default 60)")
    parser.add_argument("--rounds", type=int, default=5, help="with and without somebody on the page (default 5)")
    parser.add_argument("--directory", type=Path, help="where the store is built; the system's when left out")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("processor time is read from /proc, so this runs on Linux only")
    with TemporaryDirectory(dir=options.directory, prefix="page-") as directory:
        print(json.dumps(measured(Path(directory), options), indent=2))


def measured(directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was measured."""
    setting = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()}
    counted = {"memories": options.memories, "users": options.users}
    began = time.perf_counter()

    def grow(data_dir: Path) -> None:
        end_owner(data_dir)
        asyncio.run(build(data_dir, Speech(), options.memories, options.users))
        _say(f"Built {options.memories} memories in {time.perf_counter() - began:.0f} s.")

    with (
        provider.running() as url,
        with_memory(directory, url, memories=100 * len(USERS), grow=grow) as server,
    ):
        listed = _listed(server)
        _start_anew(server)
        page = _page(server, options.repeats)
        beside = _beside(server, options.requests, options.rounds)
    kept = page["first view"]["first"] <= FIRST_VIEW_MS and page[TYPED]["p95"] <= SEARCH_P95_MS
    return {**setting, **counted, "listed_s": listed, "page_ms": page, "kept": kept, "beside": beside}


def _listed(server: Server) -> float:
    """Seconds until a store whose ledger is new is listed, which happens once in its life."""
    began = time.perf_counter()
    with server.proxy.sidecar() as client:
        # The master key's own partition is known: its list waits for that of all. A busy store is asked again.
        while client.get("/v1/review", timeout=600).is_error:
            if time.perf_counter() - began > LONGEST_LISTING:
                raise RuntimeError(f"the memories are not listed:\n{server.proxy.log[-4000:]}")
            time.sleep(0.1)
    taken = round(time.perf_counter() - began, 1)
    _say(f"Listed within {taken} s.")
    return taken


def _start_anew(server: Server) -> None:
    """Nothing that was asked before is in the new process of the proxy."""
    server.proxy.stop()
    server.proxy.start()
    with server.proxy.sidecar() as sidecar:
        Memories(server.proxy, sidecar).wait_until_ready()


def _page(server: Server, repeats: int) -> dict[str, dict[str, float]]:
    """The milliseconds of each route: the first request of a new process, and p50 and p95 of the next ones."""
    with _tab(server) as tab:
        names = sorted(file.name for file in files("litellm_memory.page").joinpath("static").iterdir())
        figures = {
            "the page's files": _times(lambda _: [tab.file(p) for p in ("/", *(f"/page/{n}" for n in names))], 5)
        }
        figures["first view"] = _times(lambda _: [tab.browse(state="in_force", limit=50)], repeats)
        letters = _letters()
        began = time.perf_counter()
        loading, refused = _until_fast(lambda: tab.browse(query=next(letters)))
        figures[f"{TYPED}, until the scope is in RAM"] = {
            **_spread(loading),
            "not_answered": refused,
            "seconds": round(time.perf_counter() - began, 1),
        }
        _say(f"In RAM after {time.perf_counter() - began:.1f} s: {figures[f'{TYPED}, until the scope is in RAM']}")
        asked: dict[str, Callable[[int], list[httpx.Response]]] = {
            TYPED: lambda _: [tab.browse(query=next(letters))],
            f"{TYPED}, one user": lambda _: [tab.browse(query=next(letters), user="user-0")],
            "waiting": lambda _: [tab.browse(state="waiting", limit=50)],
            "a rare tag": lambda _: [tab.browse(tag="none")],
            "words of any state": lambda _: [tab.browse(query=next(letters), state="any")],
            "review": lambda _: [tab.get("review")],
            "traces": lambda _: [tab.get("traces")],
            "state": lambda _: [tab.get("state")],
            "audit": lambda _: [tab.get("audit")],
        }
        for name, ask in asked.items():
            figures[name] = _times(ask, repeats if name != "audit" else 3, pause=REST if name == TYPED else 0.0)
            _say(f"{name}: {figures[name]}")
    return figures


def _beside(server: Server, requests: int, rounds: int) -> dict[str, Any]:
    """What requests to LiteLLM take while nobody is on the page, and what it adds that somebody browses."""
    numbers = count()
    sides: dict[bool, list[list[float]]] = {False: [], True: []}
    late: dict[bool, list[list[float]]] = {False: [], True: []}
    cpu = {False: 0.0, True: 0.0}
    statuses: list[str] = []
    with server.proxy.client() as client:
        for ask in _asks(numbers, len(USERS) * TURNS):
            whole(client, ask, [])
        for number in range(rounds):
            for browses in (False, True) if number % 2 else (True, False):
                server.settle()
                with _somebody(server, browses):
                    began, used = time.time(), cpu_seconds([server.worker])
                    sides[browses].append([whole(client, ask, statuses) for ask in _asks(numbers, requests)])
                    cpu[browses] += cpu_seconds([server.worker]) - used
                    late[browses].append(server.late(began))
            _say(f"Requests beside the page: round {number + 1} of {rounds}")
    shown = {"alone_ms": percentiles(sides[False], WITH_TAILS), "added_ms": added(*sides.values(), WITH_TAILS)}
    shown |= {"late_alone_ms": percentiles(late[False], P99), "late_added_ms": added(*late.values(), P99)}
    per_request = {f"cpu_ms_{name}": round(cpu[b] * 1000 / rounds / requests, 1) for name, b in _SIDES.items()}
    return {**{name: {p: asdict(one) for p, one in by.items()} for name, by in shown.items()}, **per_request}


_SIDES: Final = {"alone": False, "beside": True}


@contextmanager
def _somebody(server: Server, browses: bool) -> Iterator[None]:
    """Somebody on the page meanwhile, who looks at lists, types questions and reads a memory's history."""
    over = Event()
    reader = Thread(target=_browse, args=(server, over))
    if browses:
        reader.start()
    try:
        yield
    finally:
        over.set()
        if browses:
            reader.join()


def _browse(server: Server, over: Event) -> None:
    letters = _letters()
    with _tab(server) as tab:
        while not over.is_set():
            first = tab.browse(state="in_force", limit=50).json()["data"][0]["memory"]["id"]
            asked: tuple[Callable[[], httpx.Response], ...] = (
                *([lambda: tab.browse(query=next(letters))] * 20),
                partial(tab.get, f"history/{first}"),
                partial(tab.get, "traces"),
                partial(tab.get, "state"),
                partial(tab.browse, state="waiting"),
            )
            for ask in asked:
                if over.wait(REST):
                    return
                ask().raise_for_status()


@contextmanager
def _tab(server: Server) -> Iterator[Tab]:
    tab = Tab(server.proxy.sidecar_url, server.proxy.master_key)
    try:
        yield tab
    finally:
        tab.close()


def _letters() -> Iterator[str]:
    """What stands in the search after each letter of many questions, from the eighth on."""
    speech = Speech()
    for number in count():
        said = speech.question(number * 97)
        for end in range(8, min(len(said), 60)):
            yield said[:end]


def _asks(numbers: Iterator[int], requests: int) -> list[Ask]:
    """So many requests of conversations that nobody had before."""
    asks: list[Ask] = []
    while len(asks) < requests:
        asks += conversation(next(numbers))
    return asks[:requests]


def _until_fast(ask: Callable[[], httpx.Response]) -> tuple[list[float], int]:
    """The milliseconds of each search until some in a row are within the goal, and how many were not answered."""
    taken: list[float] = []
    began, refused = time.perf_counter(), 0
    while len(taken) < LOADED_AFTER_FAST or max(taken[-LOADED_AFTER_FAST:]) > SEARCH_P95_MS:
        if time.perf_counter() - began > LONGEST_LOAD:
            _say("The searches never became fast.")
            break
        asked = time.perf_counter()
        answer = ask()
        taken.append((time.perf_counter() - asked) * 1000)
        if answer.is_error:
            refused += 1
            _say(f"Not answered after {taken[-1]:.0f} ms: {answer.text}")
        time.sleep(REST)
    return taken, refused


def _times(ask: Callable[[int], list[httpx.Response]], repeats: int, pause: float = 0.0) -> dict[str, float]:
    taken = []
    for number in range(repeats):
        taken.append(_time(ask, number))
        time.sleep(pause)
    return _spread(taken)


def _spread(taken: list[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p95": 0.95}
    return {"first": round(taken[0], 1), **{n: round(percentile(taken[1:], s), 1) for n, s in shares.items()}}


def _time(ask: Callable[[int], list[httpx.Response]], number: int) -> float:
    """Milliseconds until all is answered: what a busy store refuses is asked again, as somebody at the page would."""
    began = time.perf_counter()
    while refused := [answer for answer in ask(number) if answer.is_error]:
        _say(f"Not answered: {refused[0].text}")
        if refused[0].status_code != httpx.codes.SERVICE_UNAVAILABLE:
            refused[0].raise_for_status()
    return (time.perf_counter() - began) * 1000


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
