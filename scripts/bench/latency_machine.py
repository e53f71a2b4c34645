"""Where and with what a benchmark runs, and how it tells how far it is."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from litellm_memory.embedding import LocalModel, find_model


def surroundings() -> dict[str, Any]:
    """The part of a report's setting that no option changes, by the names of its fields."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "litellm": version("litellm"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)),
        "model": LocalModel.identity if find_model() else None,
    }


def say(progress: str) -> None:
    """Tells whoever waits; the report alone goes to standard output."""
    print(progress, file=sys.stderr)
