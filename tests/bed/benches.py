"""Scripts of `scripts/bench`, run as anybody runs them."""

from __future__ import annotations

import os
import subprocess
import sys

from bed.proxy import CHECKOUT


def ran(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a script printed, and how it ended."""
    paths = (CHECKOUT, CHECKOUT / "tests", CHECKOUT / "scripts" / "bench")
    return subprocess.run(
        [sys.executable, f"scripts/bench/{script}.py", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )


def printed_by(script: str, *arguments: str) -> str:
    """What a script printed; it must have ended well."""
    ended = ran(script, *arguments)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout
