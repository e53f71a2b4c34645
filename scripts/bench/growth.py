"""What recall costs as memories grow: synthetic texts and random vectors, in one scope and in many.

First some scopes are touched that are not in RAM, each loaded before the next. Then people talk, twenty at a time in
turns, ten questions each: the first question of a conversation may meet a scope that is not in RAM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
from latency_processes import cpu_seconds, own_mib
from numpy.typing import NDArray

from litellm_memory.embedding import LocalModel, find_model
from litellm_memory.engine import Engine
from litellm_memory.files.address import owned, read_record
from litellm_memory.memories.query import Query
from litellm_memory.models import Memory, Scope, namespace
from litellm_memory.settings import Settings
from litellm_memory.store import Entry, chroma, memory_id
from litellm_memory.store.layout import Layout
from litellm_memory.store.memories import open_collections
from litellm_memory.store.records import rows_of

SIZES = ((1_000, 1), (10_000, 1), (100_000, 1), (10_000, 10), (100_000, 100))
MILLION = ((1_000_000, 1_000), (1_000_000, 1))
"""Memories, and the scopes that they are spread over."""
TOUCHED, AT_ONCE, TURNS = 20, 20, 10
WRITTEN_AT_ONCE = 5_000
WRITE_SECONDS = 600.0
"""A write of so many into a large collection takes longer than the store lets its own writes take."""
VOCABULARY = 30_000
WORDS = 20
DEADLINE_MS = 150.0
PARTITION = "growth"


@dataclass(frozen=True, slots=True)
class Grown:
    """What recall cost at one size. Times are in milliseconds, ``cpu`` is processor time a query."""

    memories: int
    scopes: int
    queries: int
    p50: float
    p95: float
    over_deadline: float
    """The share of queries in conversation that took longer than the default deadline."""
    cpu_worker: float
    cpu_owner: float
    first_touch_p50: float
    first_touch_max: float
    load_seconds: float
    """Until all of a scope that was touched is in RAM; the slowest."""
    worker_mib: float
    owner_mib: float
    build_seconds: float


class Speech:
    """Texts of made-up words, the frequent ones as frequent as in any language."""

    def __init__(self) -> None:
        random = Random(0)
        syllables = [a + b for a in "bcdfghklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "ol")]
        self._words = ["".join(random.choices(syllables, k=3)) for _ in range(VOCABULARY)]
        weights = 1 / np.arange(10, VOCABULARY + 10)
        self._cumulative = np.cumsum(weights / weights.sum())

    def text(self, number: int) -> str:
        """What memory ``number`` says."""
        drawn = np.random.default_rng(number).random(WORDS)
        return " ".join(self._words[min(place, VOCABULARY - 1)] for place in np.searchsorted(self._cumulative, drawn))

    def question(self, number: int) -> str:
        """A question about memory ``number``."""
        return "What about " + " ".join(self.text(number).split()[::3]) + "?"


def main() -> None:
    options = _options()
    sizes = options.only or (*SIZES, *(MILLION if options.million else ()))
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {_model_name()}", file=sys.stderr)
    grown = []
    for memories, scopes in sizes:
        # A process for each size, so that memory that an earlier one took is not counted.
        with (
            TemporaryDirectory(dir=options.directory, prefix="growth-") as directory,
            ProcessPoolExecutor(1, get_context("spawn")) as process,
        ):
            one = process.submit(_grown, Path(directory), memories, scopes, options.queries).result()
        grown.append(one)
        print(_line(one), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps([asdict(one) for one in grown], indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=400, help="questions at each size")
    parser.add_argument("--million", action="store_true", help="a million memories too; building them takes long")
    parser.add_argument("--only", action="append", type=_size, metavar="MEMORIES/SCOPES", help="may be given often")
    parser.add_argument("--directory", type=Path, help="where the stores are built; the system's when left out")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    return parser.parse_args()


def _size(text: str) -> tuple[int, int]:
    memories, scopes = text.split("/")
    return int(memories), int(scopes)


def _grown(directory: Path, memories: int, scopes: int, queries: int) -> Grown:
    logging.disable(logging.WARNING)
    return asyncio.run(_measured(directory, memories, scopes, queries))


async def _measured(directory: Path, memories: int, scopes: int, queries: int) -> Grown:
    speech, settings = Speech(), Settings(data_dir=directory)
    began = time.perf_counter()
    await build(directory, speech, memories, scopes)
    built = time.perf_counter() - began
    engine = Engine(settings, count=lambda text: len(text) // 4)
    try:
        await engine.open_data()
        record = read_record(directory)
        assert record is not None
        asked = list(_asked(speech, memories, scopes, queries))
        touched = [await _touched(engine, user, text) for user, text in _firsts(asked)]
        cpu = time.process_time(), cpu_seconds([record.pid])
        times = [await _timed(engine, user, text) for user, text in asked]
        cpu = time.process_time() - cpu[0], cpu_seconds([record.pid]) - cpu[1]
        return Grown(
            memories=memories,
            scopes=scopes,
            queries=len(times),
            p50=_percentile(times, 50),
            p95=_percentile(times, 95),
            over_deadline=round(sum(took > DEADLINE_MS for took in times) / len(times), 4),
            cpu_worker=round(cpu[0] * 1000 / len(times), 2),
            cpu_owner=round(cpu[1] * 1000 / len(times), 2),
            first_touch_p50=_percentile([first for first, _ in touched], 50),
            first_touch_max=round(max(first for first, _ in touched), 1),
            load_seconds=round(max(loaded for _, loaded in touched), 1),
            worker_mib=round(own_mib(os.getpid())),
            owner_mib=round(own_mib(record.pid)),
            build_seconds=round(built),
        )
    finally:
        await engine.aclose()
        await asyncio.to_thread(end_owner, directory)


def _asked(speech: Speech, memories: int, scopes: int, queries: int) -> Iterator[tuple[str, str]]:
    """Whom each question is asked for, and its text."""
    random = Random(1)
    for _ in range(-(-queries // (AT_ONCE * TURNS))):
        talking = [random.randrange(scopes) for _ in range(AT_ONCE)]
        for scope in talking * TURNS:
            yield f"user-{scope}", speech.question(scope + scopes * random.randrange(memories // scopes))


def _firsts(asked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first question of each of the first people."""
    firsts = dict(reversed(asked))
    return list(firsts.items())[-TOUCHED:]


async def _touched(engine: Engine, user: str, text: str) -> tuple[float, float]:
    """Milliseconds of a first question, and seconds until its scope is in RAM."""
    began = time.perf_counter()
    first = await _timed(engine, user, text)
    await engine.memories.index(PARTITION, user)
    return first, time.perf_counter() - began


async def _timed(engine: Engine, user: str, text: str) -> float:
    query = Query(text=text, scope=Scope(PARTITION, user), limit=24, min_score=0.0, tokens=1000)
    began = time.perf_counter()
    await engine.recall(query, now=datetime.now(UTC))
    return (time.perf_counter() - began) * 1000


def end_owner(directory: Path) -> None:
    """Ends the process that owns the directory, which would wait for another worker, and returns when it has."""
    if (record := read_record(directory)) is not None:
        os.kill(record.pid, signal.SIGTERM)
    while read_record(directory) is not None:
        time.sleep(0.1)


async def build(directory: Path, speech: Speech, memories: int, scopes: int) -> None:
    """A store with so many memories, written straight into Chroma as its owner would."""
    with owned(directory) as record:
        assert record is not None
        chroma.WRITE_SECONDS = WRITE_SECONDS
        collections = await chroma.open_directory(directory / "chroma")
        layout = Layout("buckets", LocalModel.identity, LocalModel.dimension)
        await open_collections(collections, layout)
        waiting: dict[str, list[Entry]] = {}
        for number in range(memories):
            entry = _entry(speech, number, scopes)
            name = layout.collection(entry.memory.id)
            waiting.setdefault(name, []).append(entry)
            if len(waiting[name]) == WRITTEN_AT_ONCE:
                await collections.upsert(name, rows_of(waiting.pop(name), LocalModel.dimension))
        for name, entries in waiting.items():
            await collections.upsert(name, rows_of(entries, LocalModel.dimension))
        await collections.aclose()


def _entry(speech: Speech, number: int, scopes: int) -> Entry:
    user, text = f"user-{number % scopes}", speech.text(number)
    memory = Memory(
        id=memory_id(namespace(PARTITION, user), str(number), key=b"growth"),
        partition=PARTITION,
        user=user,
        text=text,
        kind="episode",
        created=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number // scopes),
        session=f"session-{number // (20 * scopes)}",
        reply="Noted.",
        tokens=len(text) // 4,
    )
    return Entry(memory, _vector(number))


def _vector(number: int) -> NDArray[np.float32]:
    vector = np.random.default_rng(number).standard_normal(LocalModel.dimension).astype(np.float32)
    unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


def _percentile(times: Sequence[float], share: int) -> float:
    return round(float(np.percentile(times, share)), 2)


def _model_name() -> str:
    return LocalModel.name if find_model() else "no embedding model: words alone"


def _line(grown: Grown) -> str:
    return (
        f"{grown.memories:>9,} in {grown.scopes:>5,}: p50 {grown.p50} ms, p95 {grown.p95}, over the deadline "
        f"{grown.over_deadline:.1%}, CPU {grown.cpu_worker} + {grown.cpu_owner} ms; first touch p50 "
        f"{grown.first_touch_p50} max {grown.first_touch_max}, loaded in {grown.load_seconds} s; RSS "
        f"{grown.worker_mib} + {grown.owner_mib} MiB, built in {grown.build_seconds} s"
    )


if __name__ == "__main__":
    main()
