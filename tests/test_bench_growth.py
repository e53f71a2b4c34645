"""The benchmark of growth runs, and reports every figure that its page explains."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bed.benches import printed_by


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads processor time from /proc")
def test_a_short_run_reports_every_figure(tmp_path: Path) -> None:
    printed = printed_by("growth", "--only=60/3", "--queries=20", "--json", f"--directory={tmp_path}")
    [grown] = json.loads(printed)
    figures = {"p50", "p95", "over_deadline", "cpu_worker", "cpu_owner", "first_touch_p50", "first_touch_max"}
    footprint = {"load_seconds", "worker_mib", "owner_mib", "build_seconds"}
    assert grown.keys() == {"memories", "scopes", "queries", *figures, *footprint}
    # Twenty people ask ten questions each.
    assert (grown["memories"], grown["scopes"], grown["queries"]) == (60, 3, 200)
    assert list(tmp_path.iterdir()) == []
