"""What learning costs, without any language model: CPU of an exchange for the keeper and for Chroma below it.

The labelled messages are journalled, taken over and learned as after any answer, here with the keeper's work in this
process; the stages that are plain functions are then timed by themselves on the same messages.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bed.labelled import labelled
from bed.learning import Learning, opened_learning, taken_over
from latency_processes import cpu_seconds, family

from litellm_memory.extract import commands_in, extract
from litellm_memory.extract.known import KnownStatements
from litellm_memory.extract.reconcile import reconcile
from litellm_memory.learn.learner import BATCH
from litellm_memory.learn.making import memories_of
from litellm_memory.models import Exchange, Memory, Reply, Scope
from litellm_memory.redact import redact
from litellm_memory.screening import why_to_review
from litellm_memory.settings import LearnSettings

CONVERSATION = 20
"""Messages of one session."""


@dataclass(frozen=True, slots=True)
class Report:
    """Milliseconds of CPU an exchange. ``stages`` are parts of ``keeper``; its rest is ledger, vectors and store."""

    exchanges: int
    memories: int
    keeper: float
    chroma: float
    stages: dict[str, float]


def exchanges_of(count: int) -> list[Exchange]:
    """The labelled messages as exchanges with a short answer, over and over until there are ``count``."""
    messages = labelled()
    begun = datetime.now(UTC)
    return [
        Exchange(
            id=f"call-{number}",
            scope=Scope("bench", "user", project="bench", session=f"session-{number // CONVERSATION}"),
            mark=f"mark-{number}",
            text=messages[number % len(messages)].said,
            said=begun + timedelta(seconds=number),
            reply=Reply("Done. The change is in, and all tests pass.", complete=True),
        )
        for number in range(count)
    ]


async def learn(exchanges: Sequence[Exchange], data_dir: Path) -> tuple[float, float, list[Memory]]:
    """CPU seconds of this process and of those that it started, and what was kept."""
    async with opened_learning(data_dir) as learning:
        for exchange in exchanges[:BATCH]:
            await learn_all(learning, [exchange])
        begun, owners = time.process_time(), cpu_seconds(started())
        for start in range(BATCH, len(exchanges), BATCH):
            await learn_all(learning, exchanges[start : start + BATCH])
        spent, owned = time.process_time() - begun, cpu_seconds(started()) - owners
        return spent, owned, await learning.memories.all("bench", "user")


async def learn_all(learning: Learning, exchanges: Sequence[Exchange]) -> None:
    """Notes exchanges and their answers as the engine does, and learns them as the keeper does."""
    async with taken_over(learning.directory, learning.ledger) as journal:
        for exchange in exchanges:
            journal.accept(exchange)
            journal.answered(exchange.mark, exchange.reply)
    while await learning.learner.learn_waiting():
        pass


def started() -> list[int]:
    """The processes that this one started."""
    return [pid for pid in family(os.getpid()) if pid != os.getpid()]


def stages_of(exchanges: Sequence[Exchange], known: Sequence[Memory]) -> dict[str, float]:
    """CPU milliseconds an exchange of each stage that is a plain function."""
    settings = LearnSettings()
    made = [memories_of(exchange, settings, b"key").memories for exchange in exchanges]
    facts = [memory for memories in made for memory in memories]

    def all_of(one: Callable[[Exchange], object]) -> float:
        begun = time.process_time()
        for exchange in exchanges:
            one(exchange)
        return (time.process_time() - begun) * 1000 / len(exchanges)

    begun = time.process_time()
    for memory in facts:
        why_to_review(memory.text)
    screened = (time.process_time() - begun) * 1000 / len(exchanges)
    statements = KnownStatements()
    begun = time.process_time()
    for start in range(0, len(made), BATCH):
        statements.update(known)
        reconcile([memory for memories in made[start : start + BATCH] for memory in memories], statements)
    compared = (time.process_time() - begun) * 1000 / len(exchanges)
    return {
        "redact words and answer": all_of(lambda e: (redact(e.text), redact(e.reply.text if e.reply else ""))),
        "extract": all_of(lambda e: extract(e, patterns=True, turns=True)),
        "commands": all_of(commands_in),
        "screen": screened,
        "compare": compared,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    exchanges = exchanges_of(asked.exchanges)
    with tempfile.TemporaryDirectory() as directory:
        spent, owned, kept = asyncio.run(learn(exchanges, Path(directory)))
    measured = len(exchanges) - BATCH
    report = Report(
        exchanges=measured,
        memories=len(kept),
        keeper=round(spent * 1000 / measured, 2),
        chroma=round(owned * 1000 / measured, 2),
        stages={name: round(value, 3) for name, value in stages_of(exchanges, kept).items()},
    )
    if asked.json:
        print(json.dumps({name: getattr(report, name) for name in Report.__slots__}, indent=2))
        return
    print(f"{report.exchanges} exchanges, {report.memories} memories; CPU milliseconds an exchange")
    print(f"{'keeper':<28}{report.keeper:8.2f}")
    for name, value in report.stages.items():
        print(f"  {name:<26}{value:8.3f}")
    print(f"  {'ledger, vectors, store':<26}{report.keeper - sum(report.stages.values()):8.3f}")
    print(f"{'Chroma':<28}{report.chroma:8.2f}")


if __name__ == "__main__":
    main()
