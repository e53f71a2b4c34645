"""When a keeper has work: its own process begins with as little as the store needs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from litellm_memory.journal.log import Log

LOOK_SECONDS: Final = 0.2
"""How often the journal is looked at until it holds something."""
REST_SECONDS: Final = 0.5
"""After this long the keeper makes ready in any case, so that it is not late for the first thing that is said. A
process that only serves a command or a short test is gone by then."""


async def has_work(data_dir: Path, settings: Mapping[str, Any]) -> None:
    """Returns when the journal of ``data_dir`` holds anything, or when these settings ask for more than learning."""
    if (
        settings["retention"]["max_age_days"] is not None
        or settings["retention"]["rules"]
        or settings["learn"]["model"] is not None
    ):
        return
    for _ in range(int(REST_SECONDS / LOOK_SECONDS)):
        if holds_records(data_dir):
            return
        await asyncio.sleep(LOOK_SECONDS)


def holds_records(data_dir: Path) -> bool:
    """True when any file of the journal does, taken over or not."""
    try:
        return not Log(data_dir / "journal").is_empty()
    except OSError:
        return True
