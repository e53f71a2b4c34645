"""What a flood of each route of the sidecar, by one key or by none, does to the chats of another key.

Beside each flood somebody else chats, one request after the other. The same rate of requests to LiteLLM's own
`/health/liveliness` tells what any request costs that is answered by this process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import latency_provider as provider
from bed.holds import Hold, held
from bed.memories import Memories
from bed.proxy import Person, Proxy
from flood_requests import FLOODS, ROUTES, Asked
from latency_workload import Ask, conversation, memory_texts

from litellm_memory.identity import partition_of
from litellm_memory.models import Caller
from litellm_memory.settings import RecallSettings

CONNECTIONS = 16
BESIDE = "LiteLLM's own GET /health/liveliness"
ADA, EVE = Person("ada"), Person("eve")
MEMORIES = ((ADA, 200), (EVE, 2000))


@dataclass(frozen=True, slots=True)
class Beside:
    """The chats of one key while something was flooded: milliseconds, and how many went on without memory as late.

    ``rate``: requests a second that were answered, and ``answers`` with which status. ``hold``: milliseconds of
    processor time of memory's longest hold of LiteLLM's event loop, and ``where`` it was seen.
    """

    flood: str
    key: str
    chats: int
    p50: float
    p99: float
    late: int
    hold: float
    where: str
    rate: float
    answers: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured."""

    date: str
    litellm: str
    machine: str
    load_before: float
    per_second: int
    seconds: float
    beside: list[Beside]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each flood (default %(default)s)")
    parser.add_argument("--per-second", type=int, default=50, help="requests of a flood (default %(default)s)")
    parser.add_argument("--only", nargs="*", metavar="TEXT", help="routes with one of these in their name")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    routes = [route for route in ROUTES if not given.only or any(text in route for text in given.only)]
    report = measured(routes, seconds=given.seconds, per_second=given.per_second)
    print(json.dumps(asdict(report), indent=2) if given.json else "\n".join(_lines(report)))


def measured(routes: Sequence[str], *, seconds: float, per_second: int) -> Report:
    """The report of one run. It takes a proxy, a provider and a temporary directory, and leaves none of them."""
    load = os.getloadavg()[0]
    with (
        TemporaryDirectory(prefix="litellm-memory-bench-") as directory,
        provider.running() as url,
        _proxy(Path(directory, "on"), url) as flooded,
    ):
        found = [*_each(flooded, routes, seconds=seconds, per_second=per_second)]
    date, machine = datetime.now(UTC).date().isoformat(), f"{platform.system()}, {len(os.sched_getaffinity(0))} cores"
    return Report(date, version("litellm"), machine, load, per_second, seconds, found)


class Flooded:
    """A proxy with memory, and the two people at it."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._numbers = count()
        self.holds = proxy.directory / "holds"

    def beside(self, name: str, asked: Asked, *, sidecar: bool, key: str | None, seconds: float, rate: int) -> Beside:
        """Ada's chats while this is asked so often by the holder of ``key``, or by nobody."""
        ended, answers, times, late = threading.Event(), Counter[str](), list[float](), 0
        began, since = time.perf_counter(), time.time()
        with ThreadPoolExecutor(CONNECTIONS) as threads, self.proxy.client(ADA.key) as ada:
            url = self.proxy.sidecar_url if sidecar else self.proxy.url
            for _ in range(CONNECTIONS):
                threads.submit(self._ask, url, name.partition(" ")[0], asked, key, rate / CONNECTIONS, ended, answers)
            while time.perf_counter() - began < seconds:
                for ask in conversation(next(self._numbers)):
                    taken, status = _chat(ada, ask)
                    times.append(taken)
                    late += status == "late"
            ended.set()
        hold = max(held(self.holds, since=since), key=lambda one: one.processor_ms, default=Hold(0, 0, 0, ""))
        times.sort()
        p50, p99 = (times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.99))
        per_second = answers.total() / (time.perf_counter() - began)
        return Beside(
            name,
            "none" if key is None else "one",
            len(times),
            round(p50, 1),
            round(p99, 1),
            late,
            hold.processor_ms,
            hold.where,
            round(per_second, 1),
            dict(answers),
        )

    def _ask(
        self,
        url: str,
        method: str,
        asked: Asked,
        key: str | None,
        rate: float,
        ended: threading.Event,
        answers: Counter[str],
    ) -> None:
        """Asks at this rate over one connection until the flood has ended."""
        store = partition_of(Caller(user=EVE.user), "user") or ""
        headers = {"accept": "application/json, text/event-stream"}
        headers |= {"authorization": f"Bearer {key}"} if key else {}
        due = time.perf_counter()
        with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
            while not ended.is_set():
                one = asked.numbered(next(self._numbers), store)
                try:
                    answer = client.request(
                        method, one.url, content=one.content.encode(), headers={"content-type": one.media_type}
                    )
                    answers[str(answer.status_code)] += 1
                except httpx.HTTPError as error:
                    answers[type(error).__name__] += 1
                due = max(due + 1 / rate, time.perf_counter())
                ended.wait(due - time.perf_counter())


def _chat(client: httpx.Client, ask: Ask) -> tuple[float, str]:
    start = time.perf_counter()
    answer = client.post("/v1/chat/completions", content=ask.body, headers={"content-type": "application/json"})
    taken = (time.perf_counter() - start) * 1000
    answer.raise_for_status()
    return taken, answer.headers["x-memory-status"]


def _each(flooded: Flooded, routes: Sequence[str], *, seconds: float, per_second: int) -> Iterator[Beside]:
    """The same flood of LiteLLM's own route first, last and in between, because a machine is not always as busy."""
    own = Asked("/health/liveliness")

    def measure(name: str, asked: Asked, key: str | None, *, sidecar: bool = True) -> Beside:
        print(f"{name} with {'a' if key else 'no'} key", file=sys.stderr)
        return flooded.beside(name, asked, sidecar=sidecar, key=key, seconds=seconds, rate=per_second)

    measure(BESIDE.replace("LiteLLM's own ", ""), own, EVE.key, sidecar=False)  # to warm up
    for number, route in enumerate(routes):
        if number % 10 == 0:
            yield measure("GET /health/liveliness", own, EVE.key, sidecar=False)
        for key in (EVE.key, None):
            yield measure(route, FLOODS[route], key)


@contextmanager
def _proxy(directory: Path, url: str) -> Iterator[Flooded]:
    """A proxy at its defaults, with a store of some memories of both."""
    given = {"model": "openai/gpt-4o-mini", "api_key": "sk-provider", "api_base": f"{url}/v1"}
    proxy = Proxy(
        directory,
        url,
        memory={"recall": RecallSettings().model_dump(include={"deadline_ms", "min_score"})},
        people=(ADA, EVE),
        models=[{"model_name": "gpt", "litellm_params": given}],
        config={"litellm_settings": {"callbacks": ["litellm_memory.handler", "bed.holds.holds"]}},
        environment={"BED_HOLDS": str(directory / "holds")},
    )
    with proxy:
        for person, number in MEMORIES:
            with proxy.sidecar(person.key) as client:
                Memories(proxy, client).wait_until_ready()
                lines = "\n".join(json.dumps({"text": text}) for text in memory_texts(number))
                client.post("/v1/import", content=lines).raise_for_status()
        yield Flooded(proxy)


def _lines(report: Report) -> Iterator[str]:
    yield (
        f"{report.date}: LiteLLM {report.litellm}, {report.machine}, load {report.load_before:.1f} before; "
        f"{report.per_second} requests a second asked for, {report.seconds:g} s each"
    )
    yield "| flood | key | answered a second | chats | p50 ms | p99 ms | late | longest hold ms | where |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in report.beside:
        answers = ", ".join(f"{status}: {number}" for status, number in one.answers.items())
        yield (
            f"| {one.flood} | {one.key} | {one.rate} ({answers}) | {one.chats} | {one.p50} | {one.p99} | {one.late} "
            f"| {one.hold} | {one.where} |"
        )


if __name__ == "__main__":
    main()
