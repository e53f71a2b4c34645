"""What two hosts with memory cost and lose: two proxies on one Chroma server and one PostgreSQL, beside one without.

The person's next request may go to either host, as behind a load balancer. In the end one host is killed while both
are at work, again and again, and what was said through it is asked for through the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import latency_provider as provider
from bed.chroma import chroma_server
from bed.postgres import INSTALLED, postgres_server
from hosts_kill import Kill, counted, end_of_one
from hosts_servers import PEOPLE, Numbers, asks_of, fill, ledger_at, may_name, started, talk
from latency_figures import WITH_TAILS, Figure, added, figure, percentiles
from latency_machine import say, surroundings
from latency_rounds import CONNECTIONS, Statuses, whole
from latency_servers import Server, without_memory
from latency_workload import TURNS, Ask

STATED: Final = 5_000_000
"""From this number on are the services of which people tell a host that is killed then."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What was measured, on what. ``own_names``: each proxy saw a host name of its own."""

    date: str
    litellm: str
    python: str
    machine: str
    cores: int
    load_before: float
    load_after: float
    model: str | None
    memories: int
    users: int
    filled_s: float
    requests: int
    rounds: int
    own_names: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds one request after the other: LiteLLM's own, and what memory on two hosts adds."""

    off_ms: dict[str, Figure]
    added_ms: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests a second over CONNECTIONS connections: without memory, through one host, and through both in turns."""

    off_per_s: Figure
    one_per_s: Figure
    both_per_s: Figure
    one_ratio: Figure
    both_ratio: Figure
    learned_after_s: Figure


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured. ``statuses``: how many answers said what of their memory before any kill."""

    setting: Setting
    one_by_one: Latency
    side_by_side: Throughput
    kills: list[Kill]
    statuses: dict[str, int]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=100_000, help=f"of {len(PEOPLE)} users (default %(default)s)")
    parser.add_argument("--requests", type=int, default=100, help="a round, to each side (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement (default %(default)s)")
    parser.add_argument("--kills", type=int, default=3, help="of a host (default %(default)s)")
    parser.add_argument("--said", type=int, default=20, help="statements before each kill (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("processes are found in /proc, so this runs on Linux only")
    if not INSTALLED:
        parser.error("it needs PostgreSQL: put initdb and pg_ctl on the PATH")
    report = measured(given)
    print(json.dumps(asdict(report), indent=2) if given.json else "\n".join(_lines(report)))


def measured(given: argparse.Namespace) -> Report:
    """The report of one run. It takes three proxies, a provider, both servers and a temporary directory, and leaves
    none of them."""
    load, numbers, stated = os.getloadavg()[0], count(), count(STATED)
    statuses: Statuses = []
    with TemporaryDirectory(prefix="litellm-memory-bench-") as directory, ExitStack() as running:
        root = Path(directory)
        began = time.perf_counter()
        (root / "chroma").mkdir()
        asyncio.run(fill(root / "chroma", given.memories))
        filled = time.perf_counter() - began
        say(f"Filled in {filled:.0f} s.")
        url = running.enter_context(provider.running())
        shared = {
            "store": {"mode": "server", "port": running.enter_context(chroma_server(root / "chroma"))},
            "ledger": {"url": ledger_at(running.enter_context(postgres_server(root, durable=True)))},
        }
        off = running.enter_context(without_memory(root / "off", url))
        hosts = [running.enter_context(started(name, root, url, shared)) for name in ("first", "second")]
        _warm_up([off, *hosts], numbers)
        one_by_one = _latency(off, hosts, given.requests, given.rounds, numbers, statuses)
        throughput = _throughput(off, hosts, given.requests, given.rounds, numbers, statuses)
        kills: list[Kill] = []
        for number in range(given.kills):
            say(f"Kill {number + 1} of {given.kills}")
            told = [next(stated) for _ in range(given.said)]
            hosts[0], one = end_of_one(hosts[0], hosts[1], told, given.requests, numbers)
            kills.append(one)
    return Report(_setting(given, load, filled), one_by_one, throughput, kills, counted(statuses))


def _warm_up(servers: Sequence[Server], numbers: Numbers) -> None:
    """Every person asks every server: LiteLLM imports late, and a host loads a person's memories at the first touch."""
    say("Warming up ...")
    for server in servers:
        for _ in PEOPLE:
            whole(server.client, talk(numbers)[0], [])
        server.settle()


def _latency(
    off: Server, hosts: Sequence[Server], requests: int, rounds: int, numbers: Numbers, statuses: Statuses
) -> Latency:
    sides: tuple[list[list[float]], list[list[float]]] = ([], [])
    for number in range(rounds):
        say(f"One by one: round {number + 1} of {rounds}")
        times: tuple[list[float], list[float]] = ([], [])
        for place, (turn, said) in enumerate(asks_of(numbers, requests)):
            pair = ((0, off), (1, hosts[turn % len(hosts)]))
            for side, server in pair if place % 2 else pair[::-1]:
                times[side].append(whole(server.client, said, statuses))
        for server in hosts:
            server.settle()
        for side in (0, 1):
            sides[side].append(times[side])
    return Latency(percentiles(sides[0], WITH_TAILS), added(*sides, WITH_TAILS))


def _throughput(
    off: Server, hosts: Sequence[Server], requests: int, rounds: int, numbers: Numbers, statuses: Statuses
) -> Throughput:
    rates: dict[str, list[float]] = {"off": [], "one": [], "both": []}
    learned: list[float] = []
    for number in range(rounds):
        say(f"{CONNECTIONS} connections: round {number + 1} of {rounds}")
        sides = {"off": [off], "one": [hosts[number % len(hosts)]], "both": hosts}
        for side in rotated(list(sides), number):
            # At least one conversation a connection, or some of them would have nothing to do.
            talks = [talk(numbers) for _ in range(max(CONNECTIONS, requests // TURNS))]
            rates[side].append(_rate(sides[side], talks, statuses))
            waited = [server.settle() for server in sides[side]]
            learned += [max(waited)] if side == "both" else []
    return Throughput(
        *(figure(rates[side]) for side in rates),
        *(
            figure([on / alone for on, alone in zip(rates[side], rates["off"], strict=True)])
            for side in ("one", "both")
        ),
        learned_after_s=figure(learned),
    )


def rotated(names: list[str], number: int) -> list[str]:
    """The same names, another of them first each time."""
    first = number % len(names)
    return names[first:] + names[:first]


def _rate(servers: Sequence[Server], talks: Sequence[Sequence[Ask]], statuses: Statuses) -> float:
    """Requests a second: the conversations over CONNECTIONS connections at once, each from server to server."""

    def send(number: int) -> None:
        for turn, said in enumerate(talks[number]):
            whole(servers[(number + turn) % len(servers)].client, said, statuses)

    start = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(send, range(len(talks))))
    return sum(map(len, talks)) / (time.perf_counter() - start)


def _setting(given: argparse.Namespace, load: float, filled: float) -> Setting:
    return Setting(
        **surroundings(),
        load_before=load,
        load_after=os.getloadavg()[0],
        memories=given.memories,
        users=len(PEOPLE),
        filled_s=round(filled, 1),
        requests=given.requests,
        rounds=given.rounds,
        own_names=may_name(),
    )


def _lines(report: Report) -> Iterator[str]:
    """The report for people: a median, and in brackets its 95 % interval."""
    setting, rates = report.setting, report.side_by_side
    yield (
        f"{setting.date}: LiteLLM {setting.litellm}, Python {setting.python}, {setting.machine}, "
        f"{setting.cores} cores, load {setting.load_before:.1f} before and {setting.load_after:.1f} after"
    )
    yield (
        f"{setting.memories} memories of {setting.users} users, written in {setting.filled_s:.0f} s; model "
        f"{setting.model or 'none'}; {setting.rounds} rounds of {setting.requests} requests; 95 % intervals in brackets"
    )
    yield ""
    yield "| | LiteLLM alone | two hosts with memory |"
    yield "|---|---|---|"
    for name, alone in report.one_by_one.off_ms.items():
        yield f"| {name}, one by one | {alone} ms | {report.one_by_one.added_ms[name]} ms more |"
    yield f"| requests a second, {CONNECTIONS} connections | {rates.off_per_s} | {rates.both_per_s} |"
    yield f"| the same through one of them | | {rates.one_per_s} |"
    yield f"| ratio | | {rates.both_ratio}; through one {rates.one_ratio} |"
    yield f"| s until all is learned | | {rates.learned_after_s} |"
    yield f"what the answers said: {_listed(report.statuses)}"
    if not setting.own_names:
        yield "Both hosts have ONE name here, so that one takes over at once what the other has left: run it as root."
    yield ""
    yield "| recalled through the other host | the last after | waiting | brought back | its ms before | its ms after |"
    yield "|---|---|---|---|---|---|"
    for one in report.kills:
        yield (
            f"| {one.recalled} of {one.said} | {one.last_s} s | {one.waiting} | {one.brought_back} "
            f"| {_listed(one.before_ms)} | {_listed(one.after_ms)}, {one.failed} failed ({_listed(one.statuses)}) |"
        )


def _listed(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())


if __name__ == "__main__":
    main()
