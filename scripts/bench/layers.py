"""What a team's shared memories beside one's own cost a recall.

The same questions, the way of every request (`Engine.recall`): to one's own memories alone, and to those and the
team's, which are more memories. Both ways take turns question by question, and each question's medians are compared,
so that what else the machine does meets them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, product
from pathlib import Path

from bed.engines import opened_engine
from bed.recall_set import Person, made_up
from usage import batched

from litellm_memory.engine import Engine
from litellm_memory.memories.query import Query
from litellm_memory.models import Memory, Scope, memory_id

OWN, SHARED = Scope("person", "ada"), Scope("layer", "team")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
TOKENS, LIMIT, LEAST = 1000, 24, 0.3
AT_ONCE = 200
"""Memories kept at once: so few that a busy machine keeps them in time."""


def memories(scope: Scope, count: int, people: Sequence[Person]) -> list[Memory]:
    """So many memories in a scope, of what made-up people said, each of another wording."""
    said = [one.text for person in people for one in person.said]
    texts = [f"{said[number % len(said)]} Number {number} of them." for number in range(count)]
    return [
        Memory(
            memory_id(scope.namespace, str(number), key=b"k"),
            scope.partition,
            scope.user,
            text,
            "fact",
            NOW - timedelta(hours=number),
        )
        for number, text in enumerate(texts)
    ]


async def seconds(engine: Engine, query: Query) -> float:
    """Processor time of this process for a recall."""
    begun = time.process_time()
    await engine.recall(query, now=NOW)
    return time.process_time() - begun


async def measured(own: int, shared: int, rounds: int) -> tuple[float, float]:
    """The milliseconds of CPU of a recall from one's own memories, and of one from both: the mean of all questions, of
    each the median of its rounds."""
    people = made_up()
    asked = [question.text for person in people for question in person.asked]
    with tempfile.TemporaryDirectory() as directory:
        async with opened_engine(Path(directory)) as engine:
            for some in batched(chain(memories(OWN, own, people), memories(SHARED, shared, people)), AT_ONCE):
                await engine.memories.keep(some)
            await seconds(engine, Query("warm", OWN, LIMIT, LEAST, shared=SHARED))
            alone, both = ([[0.0] * rounds for _ in asked] for _ in range(2))
            for round_, (number, text) in product(range(rounds), enumerate(asked)):
                ways = [(None, alone), (SHARED, both)]
                for way, found in ways if (round_ + number) % 2 else ways[::-1]:
                    # Nobody asks the same twice: each question has a vector to be made.
                    asks = f"{text} {2 * round_ + (way is None)}"
                    query = Query(asks, OWN, LIMIT, LEAST, tokens=TOKENS, shared=way)
                    found[number][round_] = await seconds(engine, query) * 1000
            first, second = (statistics.mean(map(statistics.median, found)) for found in (alone, both))
            return first, second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", type=int, default=10_000, help="memories of the person (default 10000)")
    parser.add_argument("--shared", type=int, nargs="+", default=[100, 300, 1000], help="memories of the team")
    parser.add_argument("--rounds", type=int, default=20, help="of all questions, both ways (default 20)")
    asked = parser.parse_args()
    for shared in asked.shared:
        alone, both = asyncio.run(measured(asked.own, shared, asked.rounds))
        print(f"{asked.own} own: {alone:.2f} ms of CPU; with {shared} shared: {both:.2f} ms; ratio {both / alone:.2f}")


if __name__ == "__main__":
    main()
