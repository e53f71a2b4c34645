"""What a team's shared memories beside one's own cost a recall.

The same questions, the way of every request (`Engine.recall`): to one's own memories alone, and to those and the
team's. Both take turns within each round, so that what else the machine does meets them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bed.engines import opened_engine
from bed.recall_set import Person, made_up

from litellm_memory.engine import Engine
from litellm_memory.memories.query import Query
from litellm_memory.models import Memory, Scope, memory_id

OWN, SHARED = Scope("person", "ada"), Scope("layer", "team")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
TOKENS, LIMIT, LEAST = 1000, 24, 0.3


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


async def seconds(engine: Engine, queries: Sequence[Query]) -> float:
    """Processor time of this process for these recalls."""
    begun = time.process_time()
    for query in queries:
        await engine.recall(query, now=NOW)
    return time.process_time() - begun


async def measured(own: int, shared: int, rounds: int) -> list[tuple[float, float]]:
    """For each round the milliseconds of CPU of a recall from one's own memories, and of one from both."""
    people = made_up()
    asked = [question.text for person in people for question in person.asked]
    with tempfile.TemporaryDirectory() as directory:
        async with opened_engine(Path(directory)) as engine:
            await engine.memories.keep([*memories(OWN, own, people), *memories(SHARED, shared, people)])
            await seconds(engine, [Query("warm", OWN, LIMIT, LEAST, shared=SHARED)])
            found = []
            for number in range(rounds):
                # Nobody asks the same twice: each question has a vector to be made.
                alone, both = (_queries(asked, f"{2 * number + (way is None)}", way) for way in (None, SHARED))
                if number % 2:
                    times = await seconds(engine, alone), await seconds(engine, both)
                else:
                    times = (await seconds(engine, both), await seconds(engine, alone))[::-1]
                found.append((times[0] / len(asked) * 1000, times[1] / len(asked) * 1000))
            return found


def _queries(asked: Sequence[str], round_: str, shared: Scope | None) -> list[Query]:
    return [Query(f"{text} {round_}", OWN, LIMIT, LEAST, tokens=TOKENS, shared=shared) for text in asked]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", type=int, default=10_000, help="memories of the person (default 10000)")
    parser.add_argument("--shared", type=int, nargs="+", default=[100, 300, 1000], help="memories of the team")
    parser.add_argument("--rounds", type=int, default=20, help="of all questions, both ways (default 20)")
    asked = parser.parse_args()
    for shared in asked.shared:
        found = asyncio.run(measured(asked.own, shared, asked.rounds))
        alone, both = (statistics.median(column) for column in zip(*found, strict=True))
        ratio = statistics.median(second / first for first, second in found)
        print(f"{asked.own} own: {alone:.2f} ms of CPU; with {shared} shared: {both:.2f} ms; ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
