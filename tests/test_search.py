"""The fast search finds what the plain definitions say: the same memories, scores and reasons, to the last bit."""

from __future__ import annotations

import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from bed.recall_set import made_up, unrelated
from bed.remembered import memory

from litellm_memory.index import scope as scopes
from litellm_memory.index.postings import K1, B, Postings
from litellm_memory.index.ranking import Floats, best_first
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.memories import adding, recall
from litellm_memory.memories.query import Query, hidden, visible
from litellm_memory.memories.recall import MAX_REJECTED_REPORTED, Recollection, search
from litellm_memory.models import Memory, Scope
from litellm_memory.render.budget import BlockBudget
from litellm_memory.store import Entry
from litellm_memory.text.words import words

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PEOPLE = made_up()
QUESTIONS = [*(asked.text for person in PEOPLE for asked in person.asked), *unrelated()][::5]
KINDS = ("episode", "fact", "preference", "episode", "instruction")


def vector_of(text: str) -> Floats:
    """A vector that is near to those of texts with the same words."""
    found = sum(
        (np.random.default_rng(zlib.crc32(word.encode())).normal(size=384) for word in words(text)), np.ones(384)
    )
    return (found / np.linalg.norm(found)).astype(np.float32)


@pytest.fixture(scope="module", params=[False, True], ids=["small", "large"])
def index(request: pytest.FixtureRequest) -> Any:
    """The made-up chats, some of them dropped, as a small scope or as one that is searched in two steps."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setattr(scopes, "TWO_STEPS_FROM", 64)
            for name in ("BY_VECTOR", "BY_WORDS", "WITH_NEIGHBOURS"):
                patch.setattr(scopes, name, 20)
        said = [(f"{person.name} {one.session}", one) for person in PEOPLE for one in person.said]
        memories = [
            memory(
                one.text,
                id=f"{number:040}",
                kind=KINDS[number % 5] if number % 35 < 5 else "episode",
                created=one.at + timedelta(days=number % 3),
                session=session,
                project=[None, "shop", "blog"][number % 3],
                tokens=len(one.text) // 4,
                message=f"mark {number // 2}",
                reply="Noted." if number % 4 == 0 else None,
            )
            for number, (session, one) in enumerate(said)
        ]
        index = ScopeIndex(384)
        index.put(Entry(one, vector_of(one.text) if number % 9 else None) for number, one in enumerate(memories))
        index.drop(one.id for one in memories[::17])
        yield index


@pytest.mark.parametrize(
    "fields",
    [
        {"tokens": 1000},
        {"tokens": 150, "scope": Scope("p", "u", project="shop"), "min_score": 0.0},
        {"min_score": 0.0, "limit": 60, "kinds": frozenset(["fact", "episode"])},
        {"tokens": 400, "said": frozenset(["mark 3", "mark 30"]), "without": frozenset([f"{12:040}"])},
    ],
    ids=["block", "small block", "list", "carried"],
)
@pytest.mark.parametrize("with_vector", [True, False], ids=["vectors", "words"])
def test_search_finds_what_a_plain_search_finds(index: ScopeIndex, fields: dict[str, Any], with_vector: bool) -> None:
    found = 0
    for question in QUESTIONS:
        query = Query(**{"text": question, "scope": Scope("p", "u"), "limit": 24, "min_score": 0.3, **fields})
        vector = vector_of(question) if with_vector else None
        recollection = search(index, vector, query, NOW)
        assert recollection == plain_search(index, vector, query)
        found += len(recollection.recalled)
    assert found > len(QUESTIONS)


def plain_search(index: ScopeIndex, vector: Floats | None, query: Query) -> Recollection:
    """A search memory by memory, with nothing left out early."""
    scored = recall._scored(index, vector, query, NOW)
    rows = list(best_first(scored.ranking.ranks, at_least=-1.0))
    seen = [one for row in rows if (one := index.at(int(scored.signals.positions[row]))) and visible(one, query, NOW)]
    near: list[tuple[Memory, int]] = []
    rejected: list[tuple[Memory, int | None, Any]] = []
    for row in rows:
        one = index.at(int(scored.signals.positions[row]))
        if len(near) == query.limit + recall.EXTRA_CANDIDATES:
            break
        relevance = scored.ranking.relevance
        best = max((relevance[better] for _, better in near), default=np.float32(-1))
        passes = bool(scored.scores[row] >= query.min_score)
        adds = query.tokens is None or not near or relevance[row] >= _share(scored, near[0][1], row, rows) * best
        if one is not None and one in seen and passes and adds:
            near.append((one, row))
        elif one is not None and len(rejected) < MAX_REJECTED_REPORTED:
            reason = hidden(one, query, NOW) or ("far_behind" if passes else "threshold")
            rejected.append((one, row, reason))
    standing = [hit.memory for hit in recall._standing_instructions(index, query, NOW)]
    candidates = [(one, None) for one in standing] + [hit for hit in near if hit[0] not in standing]
    others = [one for one in rejected if one[0] not in standing]
    if query.tokens is None:
        return _recollection(scored, candidates[: query.limit], others)
    order = list(candidates)
    if sum(one.tokens for one, _ in candidates[: query.limit]) > query.tokens:

        def worth(hit: tuple[Memory, int | None]) -> float:
            rank = np.inf if hit[1] is None else float(scored.ranking.ranks[hit[1]])
            return rank / max(1, hit[0].tokens) ** recall.BREVITY

        order.sort(key=worth, reverse=True)
    tried = _tried(order, query)
    kept = sorted(((one, row) for one, row, rejection in tried if rejection is None), key=candidates.index)
    over = [each for each in tried if each[2] is not None]
    return _recollection(scored, kept, [*over, *others][:MAX_REJECTED_REPORTED])


def _share(scored: Any, first: int, row: int, rows: list[int]) -> np.float32:
    """The share of the best relevance from which the memory in ``row`` is added beside the first."""
    if not scored.compares_vectors:
        return np.float32(adding.ADDS_BY_WORDS)
    vectors = [scored.index.vector_at(int(scored.signals.positions[one])) for one in (first, row)]
    alike = np.einsum("ij,j->i", vectors[1:], vectors[0])[0] if row in rows[: adding.COMPARED] else np.float32(0)
    share = np.float32(1 - adding.LESS_WHEN_SURE * scored.sure) - np.float32(adding.LESS_WHEN_ALIKE) * max(0, alike)
    if row in (scored.signals.previous[first], scored.signals.following[first]):
        share -= np.float32(adding.LESS_BESIDE)
    return max(share, np.float32(adding.ADDS_AT_LEAST))


def _tried(candidates: list[tuple[Memory, int | None]], query: Query) -> list[tuple[Memory, int | None, Any]]:
    budget = BlockBudget(tokens=query.tokens, limit=query.limit, layout=None, name_projects=query.scope.project is None)
    return [(one, row, budget.try_add(one)) for one, row in candidates]


def _recollection(scored: Any, recalled: list[Any], rejected: list[Any]) -> Recollection:
    def score(row: int | None) -> tuple[float, dict[str, float]]:
        if row is None:
            return 1.0, {"standing_wish": 1.0}
        return float(scored.scores[row]), {
            **{name: float(column[row]) for name, column in scored.columns.items()},
            "sure": scored.sure,
        }

    return Recollection(
        [recall.Recalled(one, *score(row)) for one, row in recalled],
        [recall.Rejected(one, *score(row), reason) for one, row, reason in rejected],
    )


def test_words_are_worth_the_same_together_as_one_by_one() -> None:
    postings = Postings()
    said = [words(one.text) for person in PEOPLE for one in person.said]
    for position, each in enumerate(said):
        postings.add(position, Counter(each))
    lengths = np.array([len(each) for each in said], np.float32)
    for question in QUESTIONS:
        asked = set(words(question))
        weights = {word: postings._weight(word, len(said)) for word in sorted(asked)}
        whole, mean = sum(weights.values()), sum(map(len, said)) / len(said)
        expected = []
        for word in sorted(weights, key=lambda word: -weights[word]):
            holding = [position for position, each in enumerate(said) if word in each]
            times = np.array([said[position].count(word) for position in holding], np.float32)
            norm = K1 * (1 - B + B * lengths[holding] / mean)
            shares = weights[word] / whole * times * (K1 + 1) / (times + norm)
            expected += [(holding, shares.tolist())] if holding else []
        found = postings.matches(sorted(asked), lengths, len(said))
        assert [(positions.tolist(), shares.tolist()) for positions, shares in found] == expected


@pytest.mark.parametrize("size", [1, 7, 100, 9_000, 20_000])
@pytest.mark.parametrize("values", ["spread", "few", "mostly zero", "zero"])
def test_the_best_are_those_above_the_lowest_of_as_many(size: int, values: str) -> None:
    random = np.random.default_rng(size)
    scores: Floats = random.normal(size=size).astype(np.float32)
    if values == "few":
        scores = np.round(scores)
    if values == "mostly zero":
        scores = np.where(random.random(size) < 0.01, np.abs(scores), 0).astype(np.float32)
    if values == "zero":
        scores = np.zeros(size, np.float32)
    found, best = scopes._best(scores, 400, 100)
    assert found.tolist() == plainly_best(scores, 400)
    assert best.tolist() == plainly_best(scores, 100)


def plainly_best(scores: Floats, count: int) -> list[int]:
    step = max(1, len(scores) // scopes.SAMPLED)
    sample = np.sort(scores[::step])
    lowest = sample[-min(len(sample), max(1, count // step))]
    return np.flatnonzero((scores >= lowest) & (scores > 0)).tolist()
