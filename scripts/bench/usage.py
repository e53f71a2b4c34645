"""Times the sums over a ledger of many calls, made up as fifty people with two projects each would make them."""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlalchemy import create_engine

from litellm_memory.database.days import sum_up
from litellm_memory.database.tables import calls
from litellm_memory.ledger import CallRecord, Grouping, Ledger
from litellm_memory.ledger.calls import call_row, note_calls

T = TypeVar("T")
BATCH = 10_000
PEOPLE, PROJECTS, DAYS = 50, 2, 400
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
MODELS = ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5")
QUESTIONS: tuple[tuple[Grouping, ...], ...] = (
    (),
    ("model",),
    ("day",),
    ("user", "day"),
    ("client", "model", "user", "project", "day"),
)


def made_up(count: int) -> Iterator[CallRecord]:
    """So many calls, spread evenly over DAYS."""
    chance = random.Random(1)
    for number in range(count):
        person = chance.randrange(PEOPLE)
        yield CallRecord(
            id=f"{number:032x}",
            at=FIRST + timedelta(days=DAYS) * (number / count),
            partition="p",
            user=f"person-{person}",
            client="claude-code" if person % 2 else "codex",
            project=f"github.com/acme/{person}-{chance.randrange(PROJECTS)}",
            model_asked="gpt",
            model=MODELS[person % 2],
            provider="openai",
            kind="person",
            stream=True,
            input_tokens=chance.randrange(20_000),
            output_tokens=chance.randrange(1_000),
            cached_tokens=chance.randrange(10_000),
            memory_tokens=chance.randrange(500),
            cost=chance.random() / 10,
            latency=chance.random() * 10,
            first_token=0.5,
            status="success",
            error=None,
            retries=0,
            finish_reason="stop",
            recalled=3,
        )


def batched(rows: Iterator[T], size: int) -> Iterator[list[T]]:
    """The rows, so many at a time."""
    while batch := list(islice(rows, size)):
        yield batch


def fill(url: str, count: int) -> None:
    """Writes the calls in bulk and sums them up once."""
    engine = create_engine(url)
    for batch in batched(made_up(count), BATCH):
        with engine.begin() as connection:
            connection.execute(calls.insert(), [asdict(call) for call in batch])
    with engine.begin() as connection:
        sum_up(connection)
    engine.dispose()


async def ask(ledger: Ledger, by: Sequence[Grouping], since: datetime | None) -> tuple[int, float]:
    """How many groups there are, and the milliseconds until they were told."""
    begun = time.perf_counter()
    found = await ledger.calls.usage("p", by, since=since, until=None)
    return len(found), (time.perf_counter() - begun) * 1000


async def write(ledger: Ledger, count: int) -> float:
    """Milliseconds of processor time for each of so many further calls, taken over some ten at a time."""
    rows = ({**call_row(call), "at": call.at.isoformat()} for call in made_up(count))
    batches = list(batched(rows, 10))
    begun = time.process_time()
    for batch in batches:
        await ledger.database.write(partial(note_calls, rows=batch))
    return (time.process_time() - begun) * 1000 / count


async def main() -> None:
    """Prints a table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--calls", type=int, default=1_000_000)
    count = arguments.parse_args().calls
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'ledger.db'}"
        Ledger.open(url).close()
        fill(url, count)
        ledger = Ledger.open(url)
        try:
            for since in (None, FIRST + timedelta(days=30, hours=7)):
                for by in QUESTIONS:
                    groups, took = await ask(ledger, by, since)
                    span = "since a morning" if since else "all of it"
                    print(f"{span:<16} {' '.join(by) or 'one sum':<34} {groups:>7} groups {took:8.0f} ms")
            print(f"writing: {await write(ledger, 2000):.2f} ms of processor time a call")
        finally:
            await ledger.aclose()


if __name__ == "__main__":
    asyncio.run(main())
