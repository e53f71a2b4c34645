"""The benchmark of two hosts runs, and reports every figure that its page explains."""

from __future__ import annotations

import json
import sys

import pytest
from bed.benches import printed_by
from bed.postgres import INSTALLED

FIGURE = {"median", "low", "high"}
PERCENTILES = {"p50", "p95", "p99"}


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it finds processes in /proc")
@pytest.mark.skipif(not INSTALLED, reason="no PostgreSQL is at hand")
def test_a_short_run_reports_every_figure_and_the_other_host_learns_what_was_said_before_a_kill() -> None:
    few = ("--memories=100", "--requests=8", "--rounds=1", "--kills=1", "--said=3")
    told = json.loads(printed_by("hosts", *few, "--json"))
    assert (told["setting"]["memories"], told["setting"]["users"]) == (100, 50)
    for figures in told["one_by_one"].values():
        assert {name: figure.keys() for name, figure in figures.items()} == dict.fromkeys(PERCENTILES, FIGURE)
    rates = {"off_per_s", "one_per_s", "both_per_s", "one_ratio", "both_ratio", "learned_after_s"}
    assert {name: figure.keys() for name, figure in told["side_by_side"].items()} == dict.fromkeys(rates, FIGURE)
    [kill] = told["kills"]
    assert kill["before_ms"].keys() == kill["after_ms"].keys() == PERCENTILES
    assert (kill["said"], kill["failed"]) == (3, 0)
    assert kill["recalled"] == 3
