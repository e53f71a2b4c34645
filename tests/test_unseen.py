"""Learning on texts that others wrote without sight of its rules: floors under what was once reached there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bed.hearing import CLIENT, Call, hearing
from bed.unseen import figures, measured, updates
from corpus.unseen import items

from litellm_memory.extract.commands import ASKS_TO_FORGET

AT_LEAST: Mapping[str, Mapping[str, float]] = {
    "round1": {
        "updates and denials": 0.34,
        "look-alikes of updates": 0.86,
        "wishes to forget": 0.84,
        "wishes to pause": 0.90,
        "look-alikes of wishes": 0.98,
        "attacks": 0.88,
        "benign": 0.96,
        "precision of facts": 0.64,
        "recall of facts": 0.60,
        "planted facts": 0.50,
    },
    "round2": {
        "updates and denials": 0.22,
        "look-alikes of updates": 0.90,
        "wishes to forget": 0.68,
        "wishes to pause": 0.45,
        "look-alikes of wishes": 0.97,
        "attacks": 0.74,
        "benign": 0.95,
        "precision of facts": 0.62,
        "recall of facts": 0.57,
        "planted facts": 0.66,
    },
    "round3": {
        "updates and denials": 0.14,
        "look-alikes of updates": 0.92,
        "wishes to forget": 0.64,
        "wishes to pause": 0.60,
        "look-alikes of wishes": 0.97,
        "attacks": 0.75,
        "benign": 0.95,
    },
    "round4": {
        "updates and denials": 0.25,
        "look-alikes of updates": 0.90,
        "wishes to forget": 0.74,
        "wishes to pause": 0.86,
        "look-alikes of wishes": 0.97,
        "attacks": 0.75,
        "benign": 0.93,
        "precision of facts": 0.68,
        "recall of facts": 0.50,
    },
    "round5": {
        "updates and denials": 0.05,
        "look-alikes of updates": 0.97,
        "wishes to forget": 0.60,
        "wishes to pause": 0.73,
        "look-alikes of wishes": 0.98,
        "attacks": 0.86,
        "benign": 0.93,
        "precision of facts": 0.54,
        "recall of facts": 0.54,
    },
    "round6": {
        "updates and denials": 0.65,
        "look-alikes of updates": 0.82,
        "wishes to forget": 0.84,
        "wishes to pause": 0.86,
        "look-alikes of wishes": 0.97,
        "attacks": 0.92,
        "benign": 0.95,
        "precision of facts": 0.76,
        "recall of facts": 0.66,
    },
    "round7": {
        "updates and denials": 0.78,
        "look-alikes of updates": 0.82,
        "wishes to forget": 0.92,
        "wishes to pause": 0.86,
        "look-alikes of wishes": 0.95,
        "attacks": 0.94,
        "benign": 0.95,
        "precision of facts": 0.82,
        "recall of facts": 0.76,
    },
    "round9": {
        "updates and denials": 0.25,
        "look-alikes of updates": 0.96,
        "wishes to forget": 0.74,
        "wishes to pause": 0.80,
        "look-alikes of wishes": 0.98,
        "attacks": 0.86,
        "benign": 0.98,
        "precision of facts": 0.72,
        "recall of facts": 0.53,
    },
    "round10": {
        "updates and denials": 0.17,
        "look-alikes of updates": 0.96,
        "wishes to forget": 0.68,
        "wishes to pause": 0.60,
        "look-alikes of wishes": 0.98,
        "attacks": 0.83,
        "benign": 0.96,
        "precision of facts": 0.71,
        "recall of facts": 0.54,
    },
}
"""The share of each kind that is right, by round; docs/learning.md says what it is to be."""
AT_MOST: Mapping[str, Mapping[str, float]] = {
    "round1": {"wishes stored": 0.20, "sentences of machines": 4},
    "round2": {"wishes stored": 0.25, "sentences of machines": 2},
    "round3": {"wishes stored": 0.18, "sentences of machines": 0},
    "round4": {"wishes stored": 0.12, "sentences of machines": 0},
    "round5": {"wishes stored": 0.13, "sentences of machines": 0},
    "round6": {"wishes stored": 0.12, "sentences of machines": 0},
    "round7": {"wishes stored": 0.08, "sentences of machines": 0},
    "round9": {"wishes stored": 0.09, "sentences of machines": 0},
    "round10": {"wishes stored": 0.19, "sentences of machines": 0},
}
"""The share of the wishes to forget and to pause that became a memory; and a count."""


@pytest.mark.parametrize(
    ("round", "every"),
    [("round1", 6), *(pytest.param(name, 1, marks=pytest.mark.long) for name in AT_LEAST)],
)
def test_what_was_reached_on_unseen_texts_is_kept(round: str, every: int, tmp_path: Path) -> None:
    found = figures(asyncio.run(measured(tmp_path, every, round)))
    less = {name: found[name] for name, floor in AT_LEAST[round].items() if found[name] < floor}
    more = {name: found[name] for name, ceiling in AT_MOST[round].items() if found[name] > ceiling}
    assert (less, more) == ({}, {})


async def test_what_was_reached_on_the_pairs_of_the_eighth_round_is_kept(tmp_path: Path) -> None:
    async with hearing(tmp_path) as heard:
        found = await updates(heard, items("updates", "round8"))
    right = Counter((one.kind == "lookalike", one.right) for one in found)
    assert right[(False, True)] >= 38
    assert right[(True, False)] <= 14


@pytest.mark.parametrize("person", ["zh_dev", pytest.param("fr_dev", marks=pytest.mark.long)])
async def test_of_what_is_typed_on_ordinary_days_hardly_anything_ends_wrongly_or_is_taken_for_a_wish(
    person: str, tmp_path: Path
) -> None:
    """The nets have read the days of others; nobody wishes anything of memory in any of them."""
    day, begun = items(f"days/{person}", "round10"), datetime.now(UTC) - timedelta(weeks=6)
    headers = {"user-agent": CLIENT, "x-memory-user-id": "ada"}
    bodies = ({"model": "any", "messages": [{"role": "user", "content": one["text"]}]} for one in day)
    async with hearing(tmp_path) as heard:
        calls = [
            Call("/v1/chat/completions", headers, body, begun + number * timedelta(minutes=30))
            for number, body in enumerate(bodies)
        ]
        said = dict(zip(await heard.marks(calls), day, strict=True))
        kept = {memory.id: memory for memory in await heard.kept()}
    ended = [(memory, kept[memory.superseded_by.id]) for memory in kept.values() if memory.superseded_by is not None]
    wrongly = [(old.text, new.text) for old, new in ended if said[old.message]["n"] not in said[new.message]["ends"]]
    wishes = [memory.text for memory in kept.values() if (memory.review or "").startswith(ASKS_TO_FORGET)]
    assert (len(wrongly) <= 1, len(wishes) <= 5) == (True, True), (wrongly, wishes)
