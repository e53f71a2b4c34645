"""What recall finds, without any language model: share of the evidence in the first ten and in the injected block.

Memories and questions go the way of every request: `Memories.keep`, `Engine.recall` and `Engine.before`, or over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import httpx
import numpy as np
from bed.recall_set import Asked, Person, locomo, made_up, people_of, unrelated
from numpy.typing import NDArray

from litellm_memory.embedding import LocalModel, find_model
from litellm_memory.engine import Engine, Request
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.llm import count_tokens
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import search
from litellm_memory.models import Caller, Memory, Scope, namespace
from litellm_memory.settings import Settings
from litellm_memory.store import Entry, memory_id
from litellm_memory.text.words import names

FIRST = 10
BLOCK_TOKENS = 512
SIZES = (1_000, 10_000, 100_000)
AT_ONCE = 64
OTHERS = 60
"""Questions of each other person that are asked as unrelated ones."""
DEFAULT_MIN_SCORE, DEFAULT_LIMIT = Settings().recall.min_score, Settings().recall.max_memories


class Place(Protocol):
    """Where memories are kept and searched."""

    async def keep(self, person: Person) -> None:
        """Keeps what the person said."""

    async def find(
        self, person: Person, question: str, *, limit: int, min_score: float = 0.0
    ) -> list[tuple[str, float]]:
        """The names of the messages found, best first, with their scores."""

    async def block(self, person: Person, question: str) -> tuple[list[str], int] | None:
        """The messages that a request with this question is given, and the tokens of the block; None: not known."""

    @property
    def read_by_model(self) -> int | None:
        """How many questions the embedding model has read; None: not known."""


class InProcess:
    """An engine in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._names: dict[str, str] = {}
        self._calls = 0
        self._read = 0
        vectors, ask = engine.memories.vectors, engine.memories.vectors.query

        async def query(text: str) -> NDArray[np.float32] | None:
            self._read += 1
            return await ask(text)

        vectors.query = query  # type: ignore[method-assign]  # counted here alone

    @property
    def read_by_model(self) -> int | None:
        return self._read

    async def keep(self, person: Person) -> None:
        user = namespace("default", person.name)
        memories = [
            Memory(
                memory_id(user, said.name, "0", key=self._engine.ledger.key),
                "default",
                person.name,
                said.text,
                "episode",
                said.at,
                session=said.session,
            )
            for said in person.said
        ]
        for start in range(0, len(memories), AT_ONCE):
            batch = memories[start : start + AT_ONCE]
            kept = await self._engine.memories.keep(batch)
            for said, memory in zip(person.said[start : start + AT_ONCE], kept, strict=True):
                self._names.setdefault(memory.id, said.name)

    async def find(
        self, person: Person, question: str, *, limit: int, min_score: float = 0.0
    ) -> list[tuple[str, float]]:
        query = Query(question, Scope("default", person.name), limit, min_score, standing_instructions=False)
        found = await self._engine.recall(query, now=datetime.now(UTC))
        return [(self._names[item.memory.id], item.score) for item in found.recalled]

    async def block(self, person: Person, question: str) -> tuple[list[str], int] | None:
        self._calls += 1
        body = {"model": "any", "messages": [{"role": "user", "content": question}]}
        outcome = await self._engine.before(
            Request(
                f"call-{self._calls}",
                "acompletion",
                "/v1/chat/completions",
                {"x-memory-user-id": person.name},
                body,
                Caller(master=True),
                ("any",),
            )
        )
        if outcome.status not in ("injected", "empty"):
            raise SystemExit(f"The request got no memory: {outcome.status}, {outcome.reason}.")
        if outcome.body is None:
            return [], 0
        text = outcome.body["messages"][-1]["content"].removesuffix(question)
        return [self._names[memory] for memory in outcome.injection.carried], count_tokens(text)


class OverHTTP:
    """The memory API of a running proxy or of its sidecar."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._names: dict[str, str] = {}
        self._run = f"bench-{time.time_ns()}"

    async def keep(self, person: Person) -> None:
        for said in person.said:
            memory = {
                "text": said.text,
                "kind": "episode",
                "user": f"{self._run}-{person.name}",
                "session": said.session,
                "created": said.at.isoformat(),
            }
            answer = (await self._client.post("/v1/memories", json=memory)).raise_for_status()
            self._names.setdefault(answer.json()["id"], said.name)

    async def find(
        self, person: Person, question: str, *, limit: int, min_score: float = 0.0
    ) -> list[tuple[str, float]]:
        search = {"query": question, "user": f"{self._run}-{person.name}", "limit": limit}
        answer = (await self._client.post("/v1/memories/search", json=search)).raise_for_status()
        scores = [(self._names[item["memory"]["id"]], item["score"]) for item in answer.json()["results"]]
        return [(name, score) for name, score in scores if score >= min_score]

    async def block(self, person: Person, question: str) -> tuple[list[str], int] | None:
        return None

    @property
    def read_by_model(self) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class Answered:
    """How much of one question's evidence came back."""

    kind: str
    found: float
    score: float
    """The best score."""
    in_block: float | None
    block_tokens: int
    by_model: float | None
    """1 when the embedding model read the question for the block, else 0."""


@dataclass(frozen=True, slots=True)
class Unrelated:
    """What became of a question that has nothing to do with a person."""

    given_nothing: float
    by_model: float | None


async def measure(place: Place, people: Sequence[Person]) -> tuple[list[Answered], list[Unrelated]]:
    """The answered questions of all people, and the unrelated ones."""
    answered: list[Answered] = []
    rejected: list[Unrelated] = []
    for person in people:
        await place.keep(person)
        for question in person.asked:
            answered.append(await _answered(place, person, question))
        for text in [*unrelated(), *_questions_of_others(people, person)]:
            before = place.read_by_model
            found = await place.find(person, text, limit=DEFAULT_LIMIT, min_score=DEFAULT_MIN_SCORE)
            rejected.append(Unrelated(float(not found), _read_since(place, before)))
        print(f"{person.name}: {len(person.said)} memories, {len(person.asked)} questions", file=sys.stderr)
    return answered, rejected


async def _answered(place: Place, person: Person, question: Asked) -> Answered:
    found = await place.find(person, question.text, limit=FIRST)
    names = {name for name, _ in found}
    before = place.read_by_model
    block = await place.block(person, question.text)
    return Answered(
        question.kind,
        len(question.answers & names) / len(question.answers),
        found[0][1] if found else 0.0,
        len(question.answers & set(block[0])) / len(question.answers) if block else None,
        block[1] if block else 0,
        _read_since(place, before),
    )


def _read_since(place: Place, before: int | None) -> float | None:
    return None if before is None or place.read_by_model is None else float(place.read_by_model > before)


def _questions_of_others(people: Sequence[Person], person: Person) -> list[str]:
    """What others were asked; a question about a name that this person's messages have too may well be answered."""
    known = set().union(*(names(said.text) for said in person.said))
    return [
        question.text
        for other in people
        if other.name != person.name
        for question in other.asked[:: max(1, len(other.asked) // OTHERS)]
        if question.kind != "adversarial" and known.isdisjoint(names(question.text))
    ]


def table(answered: Sequence[Answered]) -> list[dict[str, object]]:
    """A row for all questions (adversarial ones apart) and one for each kind: means and standard errors in percent."""
    usual = [one for one in answered if one.kind != "adversarial"]
    kinds = sorted({one.kind for one in answered}, key=lambda kind: (kind == "adversarial", kind))
    groups = [("all", usual), *((kind, [one for one in answered if one.kind == kind]) for kind in kinds)]
    rows: list[dict[str, object]] = []
    for name, group in groups:
        passing = [one.found for one in group if one.score >= DEFAULT_MIN_SCORE]
        blocks = [one.in_block for one in group if one.in_block is not None]
        rows.append(
            {
                "questions": name,
                "count": len(group),
                "first_10": _mean([one.found for one in group]),
                "error": _error([one.found for one in group]),
                "passing": round(100 * len(passing) / len(group), 1),
                "first_10_of_passing": _mean(passing),
                "in_block": _mean(blocks),
                "by_model": _mean([one.by_model for one in group if one.by_model is not None]),
            }
        )
    return rows


def _mean(shares: Sequence[float]) -> float | None:
    return round(100 * statistics.fmean(shares), 1) if shares else None


def _error(shares: Sequence[float]) -> float | None:
    return round(100 * statistics.stdev(shares) / len(shares) ** 0.5, 1) if len(shares) > 1 else None


def costs() -> Iterator[dict[str, object]]:
    """CPU milliseconds of a query's search by the size of the scope, over made-up vectors and words."""
    random = np.random.default_rng(1)
    rarity = 1 / np.arange(1, 20_001) ** 0.9
    rarity /= rarity.sum()
    mixing = (np.linspace(1, 0.1, 60)[:, None] * random.normal(size=(60, 384))).astype(np.float32)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for size in SIZES:
        vectors = random.normal(size=(size, 60)).astype(np.float32) @ mixing
        vectors += 0.6 * random.normal(size=vectors.shape).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        said = random.choice(20_000, size=(size, 12), p=rarity)
        index = ScopeIndex(384)
        index.put(
            Entry(
                Memory(
                    str(n), "p", "u", _spelt(said[n]), "episode", start + timedelta(minutes=n), session=str(n // 20)
                ),
                vectors[n],
            )
            for n in range(size)
        )
        query = Query(_spelt(said[size // 2]), Scope("p", "u"), DEFAULT_LIMIT, DEFAULT_MIN_SCORE, tokens=1000)
        spent = [_spent(partial(search, index, vector, query, start)) for vector in vectors[:51]]
        yield {
            "memories": size,
            "p50_ms": round(statistics.median(spent[1:]), 2),
            "p98_ms": round(sorted(spent[1:])[-2], 2),
        }


def embedding_costs() -> dict[str, float] | None:
    """CPU milliseconds of one question's vector, by the model and from its table; None without a model."""
    directory = find_model()
    if directory is None:
        return None
    model = LocalModel.open(directory)
    question = "When did I tell you that I want to move to the coast?"
    ways = {"model": lambda: model.embed([question]), "table": lambda: model.static_query(question)}
    spent = {name: sorted(_spent(way) for _ in range(51)) for name, way in ways.items()}
    return {name: round(of_one[25], 3) for name, of_one in spent.items()}


def _spelt(numbers: Sequence[int]) -> str:
    return " ".join("w" + "".join(chr(97 + int(digit)) for digit in str(number)) for number in numbers)


def _spent(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return 1000 * (time.process_time() - before)


@asynccontextmanager
async def _place(http: str | None, key: str | None, query: str) -> AsyncIterator[Place]:
    if http is not None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with httpx.AsyncClient(base_url=http, headers=headers, timeout=60, trust_env=False) as client:
            yield OverHTTP(client)
        return
    with tempfile.TemporaryDirectory() as data_dir:
        recall = {"token_budget": BLOCK_TOKENS, "max_memories": 100, "deadline_ms": 10_000}
        settings = {"data_dir": Path(data_dir), "recall": recall, "embedding": {"query": query}}
        engine = Engine(Settings.model_validate(settings), count=count_tokens)
        engine.open()
        while not engine.health.opened:  # noqa: ASYNC110  # the engine tells of no event
            await asyncio.sleep(0.05)
        try:
            yield InProcess(engine)
        finally:
            await engine.aclose()


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    people = made_up()
    if arguments.locomo:
        people = locomo(arguments.locomo)
    if arguments.people:
        people = people_of(arguments.people)
    if arguments.without_sessions:
        people = [replace(one, said=tuple(replace(said, session=None) for said in one.said)) for one in people]
    async with _place(arguments.http, arguments.key, arguments.query) as place:
        answered, rejected = await measure(place, people)
    return {
        "questions": table(answered),
        "unrelated": {
            "count": len(rejected),
            "given_nothing": _mean([one.given_nothing for one in rejected]),
            "by_model": _mean([one.by_model for one in rejected if one.by_model is not None]),
        },
        "largest_block_tokens": max(one.block_tokens for one in answered),
        "embedding_ms": None if arguments.http else embedding_costs(),
        "search": [] if arguments.http else list(costs()),
    }


def _print(result: dict[str, object]) -> None:
    print(
        f"{'questions':12} {'count':>5} {'R@10':>6} {'±':>4} {'pass':>6} {'R@10 of those':>14} {'in a block':>11} "
        f"{'by model':>9}"
    )
    for row in result["questions"]:  # type: ignore[attr-defined]  # the table, as _run made it
        shown = ["-" if value is None else value for value in row.values()]
        print("{:12} {:>5} {:>6} {:>4} {:>6} {:>14} {:>11} {:>9}".format(*shown))
    count, nothing, by_model = result["unrelated"].values()  # type: ignore[attr-defined]
    print(f"\nUnrelated questions: {count}, given nothing: {nothing} %, by model: {by_model} %")
    print(f"Largest block: {result['largest_block_tokens']} tokens of {BLOCK_TOKENS}")
    if result["embedding_ms"] is not None:
        for name, spent in result["embedding_ms"].items():  # type: ignore[attr-defined]
            print(f"CPU of a question's vector by the {name}: {spent} ms")
    for cost in result["search"]:  # type: ignore[attr-defined]
        print(f"CPU of a search in {cost['memories']:>7,} memories: {cost['p50_ms']} ms (p98 {cost['p98_ms']} ms)")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locomo", type=Path, help="A LoCoMo JSON file, instead of the made-up chats.")
    parser.add_argument("--people", type=Path, help="A JSON file of people, as `people_of` in tests/bed/recall_set.py.")
    parser.add_argument("--without-sessions", action="store_true", help="The memories have no session.")
    parser.add_argument(
        "--http", help="Base URL of a running proxy's or sidecar's memory API, instead of an engine here."
    )
    parser.add_argument("--key", help="The key for --http.")
    parser.add_argument(
        "--query", choices=("auto", "static", "full"), default=Settings().embedding.query, help="`embedding.query`."
    )
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    result = asyncio.run(_run(arguments))
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        _print(result)


if __name__ == "__main__":
    main()
