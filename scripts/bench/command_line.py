"""How long commands take beside a running proxy with memory: wall clock and processor time, each many times in turn.

The exit code is 1 when the median of a command is above what it may take.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bed.memories import Memories
from bed.proxy import CHECKOUT, Proxy

AT_MOST_MS = 400.0
"""What people call at once."""
SHOWN = 12
"""Modules that `--imports` shows."""
COMMANDS: Mapping[str, Sequence[str]] = {
    "--version": ["--version"],
    "--help": ["--help"],
    "list --help": ["list", "--help"],
    "list": ["list"],
    "list --grep": ["list", "--grep", "piano"],
    "list --partition '*'": ["list", "--partition", "*"],
    "search": ["search", "Which room has a piano?"],
    "show": ["show", "ID"],
    "show, by eight digits": ["show", "DIGITS"],
    "review": ["review"],
    "trace": ["trace"],
    "usage": ["usage"],
    "partitions": ["partitions"],
}
"""The first word and what follows; ID and DIGITS are those of a memory."""
NOTHING = "python -c pass"
_IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took, in milliseconds."""

    wall: float
    cpu: float


def taken(command: Sequence[str], environment: Mapping[str, str], directory: Path) -> Taken:
    """Runs a command, whose output is thrown away. Raises CalledProcessError when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Taken(wall * 1000, (used.ru_utime + used.ru_stime) * 1000)


def measured(proxy: Proxy, memories: int, repeats: int) -> dict[str, dict[str, float]]:
    """The medians and the slowest wall time of each command, all commands in turn."""
    with proxy.sidecar() as client:
        kept = Memories(proxy, client)
        kept.wait_until_ready(within=90)
        for number in range(memories):
            kept.add(f"Room {number} of the house has a piano from {1900 + number % 99}.", user="default")
        memory_id = client.get("/v1/memories", params={"limit": 1}).raise_for_status().json()["data"][0]["id"]
    named = {"ID": memory_id, "DIGITS": memory_id[16:24]}
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "LITELLM_MASTER_KEY": proxy.master_key}
    script = str(Path(sys.executable).with_name("litellm-memory"))
    begun = [script] if Path(script).exists() else [sys.executable, "-m", "litellm_memory"]
    asked = {name: [*begun, *(named.get(word, word) for word in words)] for name, words in COMMANDS.items()}
    asked[NOTHING] = [sys.executable, "-c", "pass"]
    runs: dict[str, list[Taken]] = {name: [] for name in asked}
    for _ in range(repeats + 1):
        for name, command in asked.items():
            runs[name].append(taken(command, environment, proxy.directory))
    # The first of each reads its files from the disk.
    return {name: _summed(those[1:]) for name, those in runs.items()}


def _summed(runs: Sequence[Taken]) -> dict[str, float]:
    walls = [one.wall for one in runs]
    return {
        "wall_ms": round(statistics.median(walls), 1),
        "slowest_ms": round(max(walls), 1),
        "cpu_ms": round(statistics.median(one.cpu for one in runs), 1),
    }


def imports(proxy: Proxy) -> list[tuple[str, float]]:
    """What `list` imports that takes longest with all that it imports itself, in milliseconds."""
    command = [sys.executable, "-X", "importtime", "-m", "litellm_memory", "list"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "LITELLM_MASTER_KEY": proxy.master_key}
    told = subprocess.run(command, cwd=proxy.directory, env=environment, capture_output=True, text=True, check=True)
    found = [(read[4], int(read[2]) / 1000) for read in map(_IMPORTED.match, told.stderr.splitlines()) if read]
    return sorted(found, key=lambda one: -one[1])[:SHOWN]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=20, help="runs of each command")
    parser.add_argument("--imports", action="store_true", help="tell what `list` imports that takes longest")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with (
        TemporaryDirectory(prefix="litellm-memory-bench-") as directory,
        # Nothing is sent to a provider.
        Proxy(Path(directory) / "proxy", "http://127.0.0.1:9", memory={}) as proxy,
    ):
        figures = measured(proxy, options.memories, options.repeats)
        slow = imports(proxy) if options.imports else []
    setting: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": load,
    }
    late = [name for name, one in figures.items() if one["wall_ms"] > AT_MOST_MS]
    if options.json:
        print(json.dumps({"setting": setting, "commands": figures, "imports": slow, "late": late}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in setting.items()), file=sys.stderr)
        for name, one in figures.items():
            numbers = f"{one['wall_ms']:6.0f} ms  slowest {one['slowest_ms']:6.0f}  processor {one['cpu_ms']:6.0f}"
            print(f"{name:24}{numbers}{'  too slow' if name in late else ''}")
        for name, milliseconds in slow:
            print(f"  {name:40}{milliseconds:6.1f} ms")
    sys.exit(1 if late else 0)


if __name__ == "__main__":
    main()
