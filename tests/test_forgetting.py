"""What goes by itself, and in which order: pinned memories stay, and what is used lives longer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bed.engines import opened_engine

from litellm_memory.care.retention import SWEEP_EVERY, Retention, expendable, sweep
from litellm_memory.engine import Engine
from litellm_memory.ledger import Ledger
from litellm_memory.models import Memory, Superseded, namespace
from litellm_memory.settings import RetentionSettings, Settings
from litellm_memory.store import memory_id

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def memory(name: str, days: int, **fields: object) -> Memory:
    """One that was made so many days ago."""
    created = NOW - timedelta(days=days)
    return replace(Memory(name, "p", "u", name, "fact", created), **fields)  # type: ignore[arg-type]  # a test's fields


def used(days: int) -> dict[str, object]:
    return {"uses": 3, "last_used": NOW - timedelta(days=days)}


SCOPE = (
    memory("new fact", 1),
    memory("old fact", 90),
    memory("old fact in use", 90, **used(2)),
    memory("old pinned", 90, pinned=True),
    memory("old episode", 80, kind="episode"),
    memory("episode in use", 80, kind="episode", **used(5)),
    memory("superseded", 3, superseded_by=Superseded("x", "newer")),
)


@pytest.mark.parametrize(
    ("retention", "gone"),
    [
        ({}, []),
        ({"max_age_days": 30}, ["old episode", "old fact"]),
        ({"max_age_days": 4}, ["old episode", "old fact", "episode in use"]),
        ({"max_memories": 6}, []),
        ({"max_memories": 5}, ["superseded"]),
        ({"max_memories": 1}, ["superseded", "old episode", "old fact", "new fact", "episode in use"]),
        ({"max_memories": 5, "max_age_days": 85}, ["superseded", "old fact"]),
        ({"rules": [{"kinds": ["episode"], "max_age_days": 30}]}, ["old episode"]),
        ({"rules": [{"kinds": ["episode"], "max_age_days": None}], "max_age_days": 30}, ["old fact"]),
        ({"rules": [{"project": "none-*", "max_age_days": 1}]}, []),
    ],
    ids=[
        "default",
        "a month",
        "four days",
        "room",
        "one too many",
        "room for one",
        "both",
        "an age for a kind",
        "a kind that stays",
        "an age for another project",
    ],
)
def test_what_goes_and_in_which_order(retention: dict[str, Any], gone: list[str]) -> None:
    assert [m.id for m in expendable(SCOPE, RetentionSettings(**retention), now=NOW)] == gone


async def test_a_sweep_forgets_in_every_partition_and_counts_each_scope_alone(tmp_path: Path) -> None:
    engine = Engine(Settings(data_dir=tmp_path), count=len)
    engine.open()
    async with asyncio.timeout(30):
        while not engine.health.opened:
            await asyncio.sleep(0.01)
    try:
        kept = []
        for partition, user, days in (("p", "u", 1), ("p", "u", 9), ("p", "v", 9), ("q", "u", 9)):
            blank = Memory("", partition, user, f"My number is {days}.", "fact", NOW - timedelta(days=days))
            kept.append(replace(blank, id=memory_id(blank.namespace, str(days), "0", key=b"k")))
        await engine.memories.keep(kept)
        limits = RetentionSettings(max_memories=1)
        assert await sweep(engine.memories, engine.ledger, limits, now=NOW) == 1
        left = [m.id for partition in ("p", "q") for m in await engine.memories.all(partition, None)]
        assert sorted(left) == sorted(m.id for m in (kept[0], *kept[2:]))
    finally:
        await engine.aclose()


async def test_one_of_two_workers_sweeps_when_it_is_time(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        other = Ledger.open(engine.settings.ledger_url)
        workers = [Retention(ledger, engine.memories) for ledger in (engine.ledger, other)]
        for worker in workers:
            worker.settings = RetentionSettings(max_memories=1)
        for number in range(2):
            kept = memory(memory_id(namespace("p", "u"), str(number), key=b"k"), number)
            await engine.memories.keep([replace(kept, text=f"My number is {number}.")])
        first = await asyncio.gather(*(worker.sweep_if_due(NOW) for worker in workers))
        again = await asyncio.gather(*(worker.sweep_if_due(NOW + SWEEP_EVERY / 2) for worker in workers))
        later = await asyncio.gather(*(worker.sweep_if_due(NOW + SWEEP_EVERY) for worker in workers))
        assert [sorted(swept) for swept in (first, again, later)] == [[False, True], [False, False], [False, True]]
        assert [kept.text for kept in await engine.memories.all("p", None)] == ["My number is 0."]
        await other.aclose()
