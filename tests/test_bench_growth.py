"""The benchmark of growth runs, and reports every figure that its page explains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads processor time from /proc")
def test_a_short_run_reports_every_figure(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "scripts/bench/growth.py", "--only=60/3", "--queries=20", "--json", f"--directory={tmp_path}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    [grown] = json.loads(ended.stdout)
    figures = {"p50", "p95", "over_deadline", "cpu_worker", "cpu_owner", "first_touch_p50", "first_touch_max"}
    footprint = {"load_seconds", "worker_mib", "owner_mib", "build_seconds"}
    assert grown.keys() == {"memories", "scopes", "queries", *figures, *footprint}
    # Twenty people ask ten questions each.
    assert (grown["memories"], grown["scopes"], grown["queries"]) == (60, 3, 200)
    assert list(tmp_path.iterdir()) == []
