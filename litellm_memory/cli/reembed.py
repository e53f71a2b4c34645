"""``litellm-memory reembed`` on the command line."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict

from litellm_memory.cli.reach import CONFIG, AsJson, Config, run
from litellm_memory.terminal.print import say

LINE_SECONDS = 2.0
"""Interval between two lines of progress."""


def reembed_memories(config: Config = CONFIG, in_json: AsJson = False) -> None:
    """Give all memories vectors of the embedding model that the config names; the proxy may run meanwhile."""
    from litellm_memory.care.reembed import Moved, reembed
    from litellm_memory.cli.models import models_for
    from litellm_memory.embedding import Embedders
    from litellm_memory.settings import load_settings, read_config

    async def moved() -> Moved:
        parsed = await asyncio.to_thread(read_config, config)
        settings = load_settings(parsed, directory=config.resolve().parent)
        embedders = Embedders(settings, models_for(settings, parsed))
        try:
            return await reembed(settings, embedders, report=_Progress())
        finally:
            embedders.close()

    done = run(moved())
    if in_json:
        say(json.dumps(asdict(done)))
    elif done.before == done.after:
        say(f"The memories' vectors come from {done.after} already.")
    else:
        say(f"{done.memories} memories moved from {done.before} to {done.after}.")
        if done.without_vector:
            say(f"The model refused {done.without_vector} of them, which are found by their words alone.")


class _Progress:
    """Prints a line when the step changes, when it is finished, and every LINE_SECONDS."""

    def __init__(self) -> None:
        self._step = ""
        self._next = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self._step or now >= self._next or done == total:
            say(f"{done / total if total else 1:4.0%}  {step}, {done} of {total}", err=True)
            self._step, self._next = step, now + LINE_SECONDS
