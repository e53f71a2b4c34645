"""What memory costs a LiteLLM proxy: the same requests to one with the plugin and one without, side by side.

With ``--gateway``, what its steps for a gateway cost with nothing configured: policies, layers, guardrails and logs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import latency_provider as provider
from latency_figures import MEDIAN, P99, WITH_TAILS, Figure, added, figure, percentiles
from latency_machine import say, surroundings
from latency_processes import own_mib, threads
from latency_rounds import CONNECTIONS, Round, Send, Statuses, first_token, idle, in_turns, side_by_side, whole
from latency_servers import Server, Start, with_memory, without_memory
from latency_workload import TURNS, USERS, Ask, conversation

IDLE_SECONDS = 3.0
STREAMS = 10
"""One request in so many is measured as a stream: a stream takes that much longer."""

Conversations = Iterator[int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """What was measured, with what, on what."""

    date: str
    litellm: str
    python: str
    machine: str
    cores: int
    load_before: float
    model: str | None
    memories: int
    users: int
    requests: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor milliseconds a request: LiteLLM's own, and what memory adds in its process and in others.

    ``switches``: how often LiteLLM's main thread stops during a request.
    """

    off: Figure
    added_in_worker: Figure
    in_keeper: Figure
    in_search_process: Figure
    added_in_all: Figure
    off_switches: Figure
    on_switches: Figure


@dataclass(frozen=True, slots=True)
class Stall:
    """How late LiteLLM's event loop is, in milliseconds: its own 99th percentile, and what memory adds to it."""

    off_p99: Figure
    added_p99: Figure


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds one request after the other: LiteLLM's own percentiles, and what memory adds to each."""

    off_ms: dict[str, Figure]
    added_ms: dict[str, Figure]
    cpu_ms: Cpu
    stall_ms: Stall


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests a second over CONNECTIONS connections, and how long learning lags behind them."""

    off_per_s: Figure
    on_per_s: Figure
    ratio: Figure
    learned_after_s: Figure
    cpu_ms: Cpu
    stall_ms: Stall


@dataclass(frozen=True, slots=True)
class Footprint:
    """What is there without any request."""

    off_start: Start
    on_start: Start
    off_idle_cpu_percent: dict[str, float]
    on_idle_cpu_percent: dict[str, float]
    off_mib: dict[str, float]
    """By process; of what processes share, each has its part."""
    on_mib: dict[str, float]
    off_threads: dict[str, int]
    on_threads: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured. ``statuses``: how many answers said what of their memory."""

    setting: Setting
    one_by_one: Latency
    first_token: Latency
    side_by_side: Throughput
    footprint: Footprint
    statuses: dict[str, int]


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the steps for a gateway add to a proxy with memory from which they are left out.

    ``control``: both proxies have them, so that what is told is the noise of the method.
    """

    setting: Setting
    control: bool
    one_by_one: Latency
    first_token: Latency
    statuses: dict[str, int]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="a round, to each proxy (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="of each measurement (default %(default)s)")
    parser.add_argument("--memories", type=int, default=10_000, help=f"over {len(USERS)} users (default %(default)s)")
    parser.add_argument("--gateway", action="store_true", help="what the steps for a gateway add, instead of all")
    parser.add_argument("--control", action="store_true", help="with --gateway: compare two proxies that are alike")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    given = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("processor time and memory are read from /proc, so this runs on Linux only")
    if given.control and not given.gateway:
        parser.error("--control goes with --gateway")
    sizes = {"requests": given.requests, "rounds": given.rounds, "memories": given.memories}
    report = gateway(control=given.control, **sizes) if given.gateway else measured(**sizes)
    lines = _lines if isinstance(report, Report) else _gateway_lines
    print(json.dumps(asdict(report), indent=2) if given.json else "\n".join(lines(report)))


def measured(*, requests: int, rounds: int, memories: int) -> Report:
    """The report of one run. It takes two proxies, a provider and a temporary directory, and leaves none of them."""
    setting = _setting(requests=requests, rounds=rounds, memories=memories)
    numbers = count()
    statuses: Statuses = []
    with (
        TemporaryDirectory(prefix="litellm-memory-bench-") as directory,
        provider.running() as url,
        without_memory(Path(directory, "off"), url) as off,
        with_memory(Path(directory, "on"), url, memories=memories) as on,
    ):
        say("Warming up ...")
        # LiteLLM imports late, and memory loads a user's memories at the first touch.
        in_turns((off, on), _asks(numbers, len(USERS) * TURNS, stream=False), whole, [])
        in_turns((off, on), _asks(numbers, TURNS, stream=True), first_token, [])
        at_rest = idle((off, on), IDLE_SECONDS)
        one_by_one = _latency((off, on), requests, rounds, numbers, whole, statuses)
        streams = _latency((off, on), max(1, requests // STREAMS), rounds, numbers, first_token, statuses)
        throughput = _throughput((off, on), requests, rounds, numbers, statuses)
        footprint = Footprint(off.start, on.start, *at_rest, *_each(own_mib, off, on), *_each(threads, off, on))
    return Report(setting, one_by_one, streams, throughput, footprint, dict(Counter(statuses).most_common()))


def gateway(*, requests: int, rounds: int, memories: int, control: bool) -> Gateway:
    """The report of one run, of two proxies with memory."""
    setting = _setting(requests=requests, rounds=rounds, memories=memories)
    numbers = count()
    statuses: Statuses = []
    with (
        TemporaryDirectory(prefix="litellm-memory-bench-") as directory,
        provider.running() as url,
        with_memory(Path(directory, "without"), url, memories=memories, gated=control) as without,
        with_memory(Path(directory, "with"), url, memories=memories) as with_,
    ):
        say("Warming up ...")
        in_turns((without, with_), _asks(numbers, len(USERS) * TURNS, stream=False), whole, [])
        in_turns((without, with_), _asks(numbers, TURNS, stream=True), first_token, [])
        one_by_one = _latency((without, with_), requests, rounds, numbers, whole, statuses)
        streams = _latency((without, with_), max(1, requests // STREAMS), rounds, numbers, first_token, statuses)
    return Gateway(setting, control, one_by_one, streams, dict(Counter(statuses).most_common()))


def _each(measure: Callable[[int], T], *servers: Server) -> list[dict[str, T]]:
    """What each process of each server has of something."""
    return [{name: measure(pid) for name, pid in server.named.items()} for server in servers]


def _latency(
    servers: tuple[Server, Server], requests: int, rounds: int, numbers: Conversations, send: Send, statuses: Statuses
) -> Latency:
    off: list[Round] = []
    on: list[Round] = []
    for number in range(rounds):
        say(f"One by one, {'streams' if send is first_token else 'whole answers'}: round {number + 1} of {rounds}")
        asks = _asks(numbers, requests, stream=send is first_token)
        without, with_ = in_turns(servers, asks, send, statuses)
        off.append(without)
        on.append(with_)
    off_times, on_times = ([round_.times for round_ in side] for side in (off, on))
    # A round of streams is too short for tails.
    shares = MEDIAN if send is first_token else WITH_TAILS
    times = percentiles(off_times, shares), added(off_times, on_times, shares)
    return Latency(*times, _cpu(off, on), _stall(off, on))


def _throughput(
    servers: tuple[Server, Server], requests: int, rounds: int, numbers: Conversations, statuses: Statuses
) -> Throughput:
    sides: tuple[list[Round], list[Round]] = ([], [])
    for number in range(rounds):
        say(f"{CONNECTIONS} connections: round {number + 1} of {rounds}")
        # At least one conversation a connection, or some of them would have nothing to do.
        talks = [conversation(next(numbers)) for _ in range(max(CONNECTIONS, requests // TURNS))]
        for side in (0, 1) if number % 2 else (1, 0):
            sides[side].append(side_by_side(servers[side], talks, statuses))
    off, on = sides
    return Throughput(
        off_per_s=figure([round_.per_second for round_ in off]),
        on_per_s=figure([round_.per_second for round_ in on]),
        ratio=figure([b.per_second / a.per_second for a, b in zip(off, on, strict=True)]),
        learned_after_s=figure([round_.settle_s for round_ in on]),
        cpu_ms=_cpu(off, on),
        stall_ms=_stall(off, on),
    )


def _stall(off: Sequence[Round], on: Sequence[Round]) -> Stall:
    without, with_ = ([round_.late for round_ in side] for side in (off, on))
    return Stall(percentiles(without, P99)["p99"], added(without, with_, P99)["p99"])


def _cpu(off: Sequence[Round], on: Sequence[Round]) -> Cpu:
    pairs = list(zip(off, on, strict=True))
    return Cpu(
        off=figure([a.cost.all for a, _ in pairs]),
        added_in_worker=figure([b.cost.worker - a.cost.worker for a, b in pairs]),
        in_keeper=figure([b.cost.keeper for _, b in pairs]),
        in_search_process=figure([b.cost.searcher for _, b in pairs]),
        added_in_all=figure([b.cost.all - a.cost.all for a, b in pairs]),
        off_switches=figure([a.cost.switches for a, _ in pairs]),
        on_switches=figure([b.cost.switches for _, b in pairs]),
    )


def _asks(numbers: Conversations, requests: int, *, stream: bool) -> list[Ask]:
    """So many requests of conversations that nobody had before."""
    asks: list[Ask] = []
    while len(asks) < requests:
        asks += conversation(next(numbers), stream=stream)
    return asks[:requests]


def _setting(*, requests: int, rounds: int, memories: int) -> Setting:
    return Setting(
        **surroundings(),
        load_before=os.getloadavg()[0],
        memories=memories,
        users=len(USERS),
        requests=requests,
        rounds=rounds,
    )


def _lines(report: Report) -> Iterator[str]:
    """The report for people: a median, and in brackets its 95 % interval."""
    yield from _setting_lines(report.setting)
    yield from _latency_lines(report, "LiteLLM alone", "memory adds")
    throughput = report.side_by_side
    yield _row(f"{CONNECTIONS} connections", "LiteLLM alone", "with memory")
    yield _row("  requests a second", throughput.off_per_s, throughput.on_per_s)
    yield _row("  ratio", "", throughput.ratio)
    yield _row("  s until all is learned", "", throughput.learned_after_s)
    yield from _cpu_lines(throughput.cpu_ms)
    yield _stall_line(throughput.stall_ms)
    yield from _footprint_lines(report.footprint)
    yield "what the answers said: " + ", ".join(f"{name} {number}" for name, number in report.statuses.items())


def _gateway_lines(report: Gateway) -> Iterator[str]:
    yield from _setting_lines(report.setting)
    columns = ("one of two alike", "the other adds") if report.control else ("without the steps", "the steps add")
    yield from _latency_lines(report, *columns)
    yield "what the answers said: " + ", ".join(f"{name} {number}" for name, number in report.statuses.items())


def _setting_lines(setting: Setting) -> Iterator[str]:
    yield (
        f"{setting.date}: LiteLLM {setting.litellm}, Python {setting.python}, {setting.machine}, "
        f"{setting.cores} cores, load {setting.load_before:.1f} before"
    )
    yield (
        f"{setting.memories} memories of {setting.users} users, model {setting.model or 'none'}; "
        f"{setting.rounds} rounds of {setting.requests} requests to each proxy; 95 % intervals in brackets"
    )


def _latency_lines(report: Report | Gateway, off: str, adds: str) -> Iterator[str]:
    latencies = (("one by one, ms", report.one_by_one), ("time to first token, ms", report.first_token))
    for title, latency in latencies:
        yield _row(title, off, adds)
        for name in latency.off_ms:
            yield _row(f"  {name}", latency.off_ms[name], latency.added_ms[name])
        yield from _cpu_lines(latency.cpu_ms)
        yield _stall_line(latency.stall_ms)


def _cpu_lines(cpu: Cpu) -> Iterator[str]:
    yield _row("  CPU ms a request", cpu.off, f"{cpu.added_in_worker} more in the worker")
    yield _row("", "", f"{cpu.in_keeper} in the keeper")
    yield _row("", "", f"{cpu.in_search_process} in the search process")
    yield _row("", "", f"{cpu.added_in_all} more in all processes")
    yield _row("  stops of the main thread", cpu.off_switches, cpu.on_switches)


def _stall_line(stall: Stall) -> str:
    return _row("  event loop late, p99 ms", stall.off_p99, f"{stall.added_p99} more")


def _footprint_lines(footprint: Footprint) -> Iterator[str]:
    off, on = footprint.off_start, footprint.on_start
    yield _row("footprint", "LiteLLM alone", "with memory")
    yield _row("  start-up s", f"{off.live_s:.1f}", f"{on.live_s:.1f}, memory ready after {on.ready_s:.1f}")
    yield _row("  start-up CPU s", f"{off.cpu_s:.1f}", f"{on.cpu_s:.1f}")
    shares = (("idle, % of a core", "off_idle_cpu_percent", "on_idle_cpu_percent", ".2f"),)
    counts = (("MiB (PSS)", "off_mib", "on_mib", ".0f"), ("threads", "off_threads", "on_threads", "d"))
    for title, without, with_, form in (*shares, *counts):
        alone, all_ = ({**getattr(footprint, name)} for name in (without, with_))
        yield _row(f"  {title}", f"{alone['worker']:{form}}", f"{sum(all_.values()):{form}} in all")
        for name, value in all_.items():
            yield _row("", "", f"{value:{form}} in the {name}")


def _row(*cells: Figure | str) -> str:
    return "".join(f"{cell!s:<30}" for cell in cells).rstrip()


if __name__ == "__main__":
    main()
