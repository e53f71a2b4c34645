"""The benchmark of the page runs, and reports every figure that its page explains."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bed.benches import printed_by

TIMES = {"first", "p50", "p95"}


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads processor time from /proc")
def test_a_short_run_reports_every_figure(tmp_path: Path) -> None:
    few = ("--memories=60", "--repeats=2", "--requests=4", "--rounds=1", f"--directory={tmp_path}")
    told = json.loads(printed_by("page", *few))
    assert (told["memories"], told["users"]) == (60, 1)
    loading = "search as you type, until the scope is in RAM"
    assert told["page_ms"][loading].keys() == {*TIMES, "not_answered", "seconds"}
    assert all(row.keys() == TIMES for name, row in told["page_ms"].items() if name != loading)
    assert {"first view", "search as you type", "review", "traces"} <= told["page_ms"].keys()
    assert {"alone_ms", "added_ms", "late_alone_ms", "late_added_ms"} <= told["beside"].keys()
    assert list(tmp_path.iterdir()) == []
