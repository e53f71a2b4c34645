"""What a process uses, as /proc tells it: Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor seconds that these processes have used so far, all their threads, to a hundredth each."""
    # The 14th and 15th fields of the line are user and system time; the state, the third, is the first of ours.
    return sum(int(field) for pid in pids for field in _stat(pid)[11:13]) / _TICKS


def own_mib(pid: int) -> float:
    """MiB of memory of a process, of what it shares with others its part (PSS)."""
    [kib] = [
        line.split()[1] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line[:4] == "Pss:"
    ]
    return int(kib) / 1024


def threads(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def switches(pid: int) -> int:
    """How often the main thread of a process has stopped to wait, or was stopped."""
    status = Path(f"/proc/{pid}/task/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the name, which may itself hold blanks; none when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
