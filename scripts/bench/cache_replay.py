"""What it costs to put earlier blocks back: a late request of a long conversation through the engine, many times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from cache_prompt import BLOCK
from cache_story import prose

from litellm_memory.engine import Engine, Outcome, Request
from litellm_memory.identity.partition import MASTER_PARTITION
from litellm_memory.models import Caller, Memory, namespace
from litellm_memory.settings import Settings
from litellm_memory.store import memory_id

JSON: TypeAlias = dict[str, Any]

TURNS = 50
"""Of four messages each: the person's, a tool call, its result, the answer. The last one is in its tool loop."""
ROUNDS = 400
GOAL_MS = 0.3
LONGEST_OPENING = 60.0

_USER = "ada"
_OFF = {"x-memory-inject": "false", "x-memory-store": "false"}


@dataclass(frozen=True, slots=True)
class ReplayCost:
    """Processor milliseconds of the engine for a request of a tool loop, medians over all rounds."""

    messages: int
    blocks: int
    on_ms: float
    off_ms: float

    @property
    def added_ms(self) -> float:
        """What the blocks cost beside reading the request."""
        return self.on_ms - self.off_ms


async def replay_cost(data_dir: Path) -> ReplayCost:
    """The cost on this machine, with a new store in ``data_dir``."""
    recall = {"deadline_ms": 5000, "max_memories": 1, "min_score": 0}
    engine = Engine(Settings.model_validate({"data_dir": data_dir, "recall": recall}), count=len)
    engine.open()
    try:
        async with asyncio.timeout(LONGEST_OPENING):
            while not engine.health.opened:  # noqa: ASYNC110  the engine opens beside us and has no event for it
                await asyncio.sleep(0.05)
        await engine.memories.keep([_memory(number) for number in range(TURNS)])
        for turn in range(TURNS):
            await engine.before(_request(_history(turn, in_loop=False), {}))
        return await _measured(engine, _history(TURNS - 1, in_loop=True))
    finally:
        await engine.aclose()


async def _measured(engine: Engine, history: Sequence[JSON]) -> ReplayCost:
    times: dict[str, list[float]] = {"on": [], "off": []}
    blocks = _blocks(await engine.before(_request(history, {})))
    for _ in range(ROUNDS):
        for side, headers in (("on", {}), ("off", _OFF)):
            request = _request(history, headers)
            began = time.thread_time()
            await engine.before(request)
            times[side].append((time.thread_time() - began) * 1000)
    return ReplayCost(len(history), blocks, median(times["on"]), median(times["off"]))


def _blocks(outcome: Outcome) -> int:
    messages = outcome.body["messages"] if outcome.body else []
    return sum(str(message["content"]).count(BLOCK.decode()) for message in messages)


def _memory(number: int) -> Memory:
    text = f"Service number {number} runs in hall {number * 7 % 100}."
    id = memory_id(namespace(MASTER_PARTITION, _USER), text, key=b"benchmark")
    return Memory(id, MASTER_PARTITION, _USER, text, "fact", datetime.now(UTC), tokens=12)


def _history(turn: int, *, in_loop: bool) -> list[JSON]:
    """The messages up to the person's of this turn, or up to the result of its tool."""
    messages = [{"role": "system", "content": prose("replay system", 1500)}]
    for number in range(turn + 1):
        words = f"In which hall does service number {number} run? " + prose(f"replay {number}", 20)
        messages += [{"role": "user", "content": words}, *_loop(number), _said(number)]
    return messages[: -1 if in_loop else -3]


def _loop(number: int) -> list[JSON]:
    called = {"id": f"call_{number}", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    return [
        {"role": "assistant", "content": "", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": prose(f"replay result {number}", 350)},
    ]


def _said(number: int) -> JSON:
    return {"role": "assistant", "content": prose(f"replay answer {number}", 90)}


def _request(messages: Sequence[JSON], headers: Mapping[str, str]) -> Request:
    return Request(
        id="replay",
        call_type="acompletion",
        route="/v1/chat/completions",
        headers={"x-memory-user-id": _USER, **headers},
        body={"model": "gpt", "messages": list(messages), "tools": [{"type": "function"}]},
        caller=Caller(master=True),
        models=("gpt",),
    )
