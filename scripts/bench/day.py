"""A day of mixed talk without sessions: how much of what is injected weeks later is on the subject of the question.

Each message is a request of its own that names no session. The day is read twice: as a proxy learns it, with what is
learned from each message and what a later one ends, and with every message kept as it was said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import corpus.unseen
from bed.engines import opened_engine
from bed.hearing import CLIENT, PARTITION, Call, hearing

from litellm_memory.engine import Engine, Request
from litellm_memory.llm import count_tokens
from litellm_memory.models import Caller, Memory, memory_id, namespace

PERSON: Final = "ada"
BLOCK_TOKENS: Final = 512
AGO, PAUSE = timedelta(weeks=3), timedelta(minutes=4)
"""When the day was, and how long after one another its messages came."""


@dataclass(frozen=True, slots=True)
class Day:
    """What was said, with its number and topic; what is asked, with topic and evidence; and what nothing answers."""

    said: Sequence[Mapping[str, Any]]
    asked: Sequence[Mapping[str, Any]]
    unrelated: Sequence[str]

    @classmethod
    def of(cls, folder: Path) -> Day:
        """Reads day.jsonl, day_questions.jsonl and, when it is there, day_unrelated.jsonl of a folder."""

        def lines(name: str) -> list[Any]:
            path = folder / name
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

        unrelated = [one["question"] for one in lines("day_unrelated.jsonl")]
        return cls(lines("day.jsonl"), lines("day_questions.jsonl"), unrelated)


async def learned(day: Day, data_dir: Path) -> dict[str, Mapping[str, Any]]:
    """Learns the day as behind a proxy; returns what was said by the ids of the memories made of it."""
    begun = datetime.now(UTC) - AGO
    async with hearing(data_dir) as heard:
        marks = await heard.marks([_call(one["text"], begun + n * PAUSE) for n, one in enumerate(day.said)])
        said = {mark: one for mark, one in zip(marks, day.said, strict=True) if mark}
        return {memory.id: said[memory.message] for memory in await heard.kept() if memory.message in said}


def _call(text: str, at: datetime) -> Call:
    body = {"model": "any", "messages": [{"role": "user", "content": text}]}
    return Call("/v1/chat/completions", {"user-agent": CLIENT, "x-memory-user-id": PERSON}, body, at)


async def as_said(day: Day, engine: Engine) -> dict[str, Mapping[str, Any]]:
    """Keeps every message as a memory; returns what was said by their ids."""
    user, begun = namespace(PARTITION, PERSON), datetime.now(UTC) - AGO
    ids = {memory_id(user, str(one["n"]), key=engine.ledger.key): one for one in day.said}
    await engine.memories.keep(
        [
            Memory(name, PARTITION, PERSON, one["text"], "episode", begun + n * PAUSE)
            for n, (name, one) in enumerate(ids.items())
        ]
    )
    return ids


async def measured(day: Day, engine: Engine, said: Mapping[str, Mapping[str, Any]]) -> dict[str, float | int | None]:
    """Percentages over all questions, and entries in a block."""
    blocks = [[said[one] for one in await _given(engine, asked["question"])] for asked in day.asked]
    entries = [one["topic"] == asked["topic"] for asked, block in zip(day.asked, blocks, strict=True) for one in block]
    evidence = [
        len({one["n"] for one in block} & set(asked["evidence"])) / len(asked["evidence"])
        for asked, block in zip(day.asked, blocks, strict=True)
    ]
    silent = [not await _given(engine, question) for question in day.unrelated]
    return {
        "memories": len(said),
        "questions": len(day.asked),
        "on_topic": _percent(entries),
        "evidence": _percent(evidence),
        "entries": round(len(entries) / len(blocks), 1),
        "unrelated": len(silent),
        "given_nothing": _percent(silent),
    }


def _percent(shares: Sequence[float]) -> float | None:
    return round(100 * statistics.fmean(shares), 1) if shares else None


async def _given(engine: Engine, question: str) -> Sequence[str]:
    body = {"model": "any", "messages": [{"role": "user", "content": question}]}
    headers = {"x-memory-user-id": PERSON}
    outcome = await engine.before(
        Request(question, "acompletion", "/v1/chat/completions", headers, body, Caller(master=True), ("any",))
    )
    if outcome.status not in ("injected", "empty"):
        raise SystemExit(f"The request got no memory: {outcome.status}, {outcome.reason}.")
    return outcome.injection.carried


async def _run(folder: Path) -> dict[str, dict[str, float | int | None]]:
    day, found = Day.of(folder), {}
    for name in ("as learned", "as said"):
        with tempfile.TemporaryDirectory() as data_dir:
            said = await learned(day, Path(data_dir)) if name == "as learned" else {}
            settings = {
                "recall": {"token_budget": BLOCK_TOKENS, "max_memories": 100, "deadline_ms": 10_000},
                "embedding": {"timeout_ms": 5_000},
                "learn": {},
            }
            async with opened_engine(Path(data_dir), count=count_tokens, **settings) as engine:
                found[name] = await measured(day, engine, said or await as_said(day, engine))
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="A folder with day.jsonl and day_questions.jsonl.")
    parser.add_argument("--round", default="round6", help="Instead of a folder, one of tests/corpus/unseen.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    folder = arguments.folder or Path(corpus.unseen.__file__).parent / arguments.round
    result = asyncio.run(_run(folder))
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(
        f"{'in percent':12} {'memories':>8} {'questions':>9} {'on topic':>8} {'evidence':>8} {'entries':>7} "
        f"{'unrelated':>9} {'given nothing':>13}"
    )
    for name, row in result.items():
        shown = ["-" if value is None else value for value in row.values()]
        print("{:12} {:>8} {:>9} {:>8} {:>8} {:>7} {:>9} {:>13}".format(name, *shown))


if __name__ == "__main__":
    main()
