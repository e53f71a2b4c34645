"""The benchmark of latency runs, and reports every figure that its page explains."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from bed.benches import printed_by, ran
from bed.engines import opened_engine
from bed.ungated import steps

from litellm_memory.engine import Request
from litellm_memory.models import Caller

FIGURE = {"median": float, "low": float, "high": float}
START = {"live_s": float, "cpu_s": float}
STALL = {"off_p99": FIGURE, "added_p99": FIGURE}
CPU = dict.fromkeys(
    ("off", "added_in_worker", "in_keeper", "in_search_process", "added_in_all", "off_switches", "on_switches"), FIGURE
)
PROCESSES = ("worker", "keeper", "search process")
REPORT: dict[str, Any] = {
    "setting": {
        "date": str,
        "litellm": str,
        "python": str,
        "machine": str,
        "cores": int,
        "load_before": float,
        "model": str,
        "memories": int,
        "users": int,
        "requests": int,
        "rounds": int,
    },
    "one_by_one": {
        "off_ms": {"p50": FIGURE, "p95": FIGURE, "p99": FIGURE},
        "added_ms": {"p50": FIGURE, "p95": FIGURE, "p99": FIGURE},
        "cpu_ms": CPU,
        "stall_ms": STALL,
    },
    "first_token": {"off_ms": {"p50": FIGURE}, "added_ms": {"p50": FIGURE}, "cpu_ms": CPU, "stall_ms": STALL},
    "side_by_side": {
        "off_per_s": FIGURE,
        "on_per_s": FIGURE,
        "ratio": FIGURE,
        "learned_after_s": FIGURE,
        "cpu_ms": CPU,
        "stall_ms": STALL,
    },
    "footprint": {
        "off_start": {**START, "ready_s": type(None)},
        "on_start": {**START, "ready_s": float},
        "off_idle_cpu_percent": {"worker": float},
        "on_idle_cpu_percent": dict.fromkeys(PROCESSES, float),
        "off_mib": {"worker": float},
        "on_mib": dict.fromkeys(PROCESSES, float),
        "off_threads": {"worker": int},
        "on_threads": dict.fromkeys(PROCESSES, int),
    },
}


def shape(value: Any) -> Any:
    """``value`` with the type of each leaf in its place."""
    return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else type(value)


@pytest.mark.long
def test_the_bench_of_the_command_line_reports_every_command() -> None:
    ended = ran("command_line", "--repeats=1", "--memories=2", "--imports", "--json")
    # A busy machine may be too slow, which the exit code then says.
    report = json.loads(ended.stdout)
    assert ended.returncode == bool(report["late"]), ended.stderr[-4000:]
    assert {"--version", "--help", "list", "search", "show"} <= set(report["commands"])
    assert len(report["imports"]) > 1


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads processor time from /proc")
def test_a_short_run_reports_every_figure() -> None:
    printed = printed_by("latency", "--requests=4", "--rounds=2", "--memories=20", "--json")
    report = json.loads(printed)
    statuses = report.pop("statuses")
    # Without an embedding model words alone are searched, and the report says so.
    assert shape(report) in (REPORT, {**REPORT, "setting": {**REPORT["setting"], "model": type(None)}})
    # Two rounds of four whole answers and a stream, and of a conversation of four on each of eight connections.
    assert sum(statuses.values()) == 2 * (4 + 1 + 8 * 4)


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads processor time from /proc")
@pytest.mark.parametrize("control", [False, True])
def test_a_short_run_reports_what_the_steps_for_a_gateway_add(control: bool) -> None:
    options = ["--control"] if control else []
    printed = printed_by("latency", "--gateway", *options, "--requests=4", "--rounds=2", "--memories=20", "--json")
    report = json.loads(printed)
    statuses = report.pop("statuses")
    expected = {name: REPORT[name] for name in ("setting", "one_by_one", "first_token")}
    assert shape(report) in (
        {**expected, "control": bool},
        {**expected, "control": bool, "setting": {**REPORT["setting"], "model": type(None)}},
    )
    # Two rounds of four whole answers and a stream, from each of two proxies with memory.
    assert (report["control"], sum(statuses.values())) == (control, 2 * 2 * (4 + 1))


async def test_the_steps_whose_cost_is_measured_are_there_and_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened_engine(tmp_path, policies={"recall": {"everybody": "off"}}) as engine:

        async def reason(id: str) -> str:
            body = {"model": "gpt", "messages": [{"role": "user", "content": f"Where do I live? {id}"}]}
            caller = Caller(user="ada", key="1" * 64)
            return (await engine.before(Request(id, "acompletion", "/v1/chat/completions", {}, body, caller))).reason

        with_them = await reason("with")
        for owner, name, instead in steps():
            monkeypatch.setattr(owner, name, instead)
        assert (with_them, await reason("without")) == ("policy_off", "nothing_relevant")


def test_what_a_team_shares_is_measured_beside_ones_own() -> None:
    printed = printed_by("layers", "--own=20", "--shared=5", "--rounds=2")
    assert re.fullmatch(r"20 own: [\d.]+ ms of CPU; with 5 shared: [\d.]+ ms; ratio [\d.]+\n", printed)
