"""Recall: the memories of a scope that are relevant to a query."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.ranking import best_first, confidence, rank, shown_scores
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.ledger import Paths
from litellm_memory.memories import Memories
from litellm_memory.models import BlockStyle, Memory, MemoryKind, Recalled, Scope
from litellm_memory.render import BlockBudget, Rejection
from litellm_memory.text.cues import plain
from litellm_memory.text.words import is_english

MAX_ON_EVENT_LOOP = 2048
"""Scopes of at most this many memories are searched on the event loop: 0.3 ms per 1,000, as long as parsing the
request. A search in a thread waits for the GIL some twenty times: 24 ms when the event loop is busy."""
SEARCH_THREADS = 4
"""At most this many larger scopes are searched at once."""
MAX_STANDING_INSTRUCTIONS = 4
"""At most this many per block: they are recalled for every query, so they must not crowd out what was asked for."""
MAX_REJECTED_REPORTED = 16
"""At most this many rejected memories are reported with a reason."""
EXTRA_CANDIDATES = 16
"""Candidates beyond the limit, to replace those that do not fit into the budget."""

Hidden: TypeAlias = Literal[
    "other_scope",
    "superseded",
    "not_valid_now",
    "other_session",
    "other_project",
    "other_kind",
    "other_tags",
    "already_carried",
]
"""Why a query may not see a memory."""
Reason: TypeAlias = Hidden | Rejection | Literal["threshold"]
"""Why a memory is not recalled: hidden, not put into the block, or scored below the threshold."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for, in whose memory, and how much to return."""

    text: str
    scope: Scope
    limit: int
    min_score: float
    tokens: int | None = None
    """The block's token budget; None when the results go into no block, and duplicates may stay."""
    layout: BlockStyle | None = None
    """The client's style of block, which decides what fits."""
    kinds: frozenset[MemoryKind] = frozenset()
    tags: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    """Ids of memories that the conversation already carries."""
    said: frozenset[str] = frozenset()
    """Marks of the conversation's own messages, which already hold what was learned from them."""
    standing_instructions: bool = True
    """Whether to return standing instructions too, which match every query."""
    strict_projects: bool = False
    aliases: frozenset[str] = frozenset()
    """Other names of the scope's project; filled in by ``Recall``."""
    any_language: bool = False
    """True when the embedding model is multilingual; filled in by ``Recall``."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that was not recalled, with its score and the reason."""

    memory: Memory
    score: float
    why: Mapping[str, float]
    """The parts that the score came from, as in ``Recalled``."""
    reason: Reason


@dataclass(frozen=True, slots=True)
class Recollection:
    """The result of a query: the recalled memories, and the best MAX_REJECTED_REPORTED of the rejected."""

    recalled: Sequence[Recalled] = ()
    rejected: Sequence[Rejected] = ()


def visible(memory: Memory, query: Query, now: datetime) -> bool:
    """True when this query may see the memory: its own scope, in force, of the kinds and tags asked for."""
    return hidden(memory, query, now) is None


def hidden(memory: Memory, query: Query, now: datetime) -> Hidden | None:
    """Why this query may not see the memory; None when it may."""
    scope = query.scope
    if memory.partition != scope.partition or memory.user != scope.user:
        return "other_scope"
    if not memory.in_force(now):
        return "superseded" if memory.superseded_by else "not_valid_now"
    if scope.only_session and memory.session != scope.session:
        return "other_session"
    foreign = memory.project is not None and memory.project != scope.project and memory.project not in query.aliases
    if foreign and (scope.project or query.strict_projects):
        return "other_project"
    if query.kinds and memory.kind not in query.kinds:
        return "other_kind"
    if not query.tags <= set(memory.tags):
        return "other_tags"
    return "already_carried" if memory.id in query.without or memory.message in query.said else None


class Recall:
    """Searches one user's index."""

    def __init__(self, memories: Memories, paths: Paths) -> None:
        self._memories = memories
        self._paths = paths
        self._threads = ThreadPoolExecutor(SEARCH_THREADS, thread_name_prefix="litellm-memory-search")

    def close(self) -> None:
        """Shuts down the search threads."""
        self._threads.shutdown(wait=False)

    async def __call__(self, query: Query, *, now: datetime) -> Recollection:
        """The memories for a query: standing instructions, then the rest by descending score, within both limits."""
        index = await self._memories.index_for_query(query.scope.partition, query.scope.user, query.text)
        if not len(index) or query.limit == 0:
            return Recollection()
        scope = query.scope
        if scope.project is not None:
            names = await self._paths.names(scope.namespace, scope.project, scope.path, now=now)
            query = replace(query, scope=replace(scope, project=names.project), aliases=names.aliases)
        vector = await self._memories.vectors.query(query.text)
        query = replace(query, any_language=self._memories.vectors.read_any_language)
        if len(index) <= MAX_ON_EVENT_LOOP:
            return search(index, vector, query, now)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, search, index, vector, query, now)


class _Hit(NamedTuple):
    """A memory that may be recalled, and its row in the ranking; None for a standing instruction."""

    memory: Memory
    row: int | None = None


@dataclass(frozen=True, slots=True)
class _Scored:
    """The candidates of an index with their scores for a query. All columns have the same length."""

    index: ScopeIndex
    positions: NDArray[np.intp]
    ranks: NDArray[np.float32]
    scores: NDArray[np.float32]
    columns: Mapping[str, NDArray[np.float32]]
    """The numbers that explain a score, by name."""
    sure: float
    """Confidence in the best memory that the query may see; it caps every score."""

    def near(self, query: Query, now: datetime) -> tuple[list[_Hit], list[tuple[_Hit, Reason]]]:
        """The visible memories above the threshold, by descending score, and the best of the rest."""
        near: list[_Hit] = []
        rejected: list[tuple[_Hit, Reason]] = []
        passes = self.scores >= query.min_score
        for row in best_first(self.ranks, at_least=-1.0):
            is_near, is_reported = passes.item(row), len(rejected) < MAX_REJECTED_REPORTED
            if len(near) == query.limit + EXTRA_CANDIDATES or not (is_near or is_reported):
                break
            if (memory := self.index.at(self.positions.item(row))) is None:
                continue
            reason: Reason | None = hidden(memory, query, now) or (None if is_near else "threshold")
            if reason is None:
                near.append(_Hit(memory, row))
            elif is_reported:
                rejected.append((_Hit(memory, row), reason))
        return near, rejected

    def recollection(self, recalled: Iterable[_Hit], rejected: Iterable[tuple[_Hit, Reason]]) -> Recollection:
        """These memories with their scores and the parts that explain them."""
        return Recollection(
            [Recalled(hit.memory, *self._score(hit.row)) for hit in recalled],
            [Rejected(hit.memory, *self._score(hit.row), reason) for hit, reason in rejected],
        )

    def _score(self, row: int | None) -> tuple[float, dict[str, float]]:
        if row is None:
            return 1.0, {"standing_wish": 1.0}
        why = {name: column.item(row) for name, column in self.columns.items()}
        why["sure"] = self.sure
        return self.scores.item(row), why


def search(index: ScopeIndex, vector: NDArray[np.float32] | None, query: Query, now: datetime) -> Recollection:
    """The memories of an index for a query; with a token budget, only those that go into the block."""
    scored = _scored(index, vector, query, now)
    near, rejected = scored.near(query, now)
    standing = _standing_instructions(index, query, now) if query.standing_instructions else []
    ids = {hit.memory.id for hit in standing}
    candidates = [*standing, *(hit for hit in near if hit.memory.id not in ids)]
    rejected = [(hit, reason) for hit, reason in rejected if hit.memory.id not in ids]
    if query.tokens is None:
        return scored.recollection(candidates[: query.limit], rejected)
    kept, over = _within_budget(candidates, query, query.tokens)
    return scored.recollection(kept, [*over, *rejected][:MAX_REJECTED_REPORTED])


def _scored(index: ScopeIndex, vector: NDArray[np.float32] | None, query: Query, now: datetime) -> _Scored:
    """Scores an index.

    The local model is English only: for other queries, vectors count in proportion to the words in English letters,
    and confidence goes by words alone.
    """
    signals = index.signals(vector, query.text)
    letters = plain(query.text)
    english = letters if is_english(query.text) else 0.0
    trust, confidence_trust = (1.0, 1.0) if query.any_language else (letters, english)
    if vector is None:
        trust = confidence_trust = 0.0
    ranking = rank(signals, query.text, trust=trust)
    confidences = confidence(signals, trust=confidence_trust, english=english)
    sure = 0.0
    for row in best_first(confidences, at_least=0.0):
        memory = index.at(signals.positions.item(row))
        if memory is not None and visible(memory, query, now):
            sure = confidences.item(row)
            break
    scores = shown_scores(ranking.ranks, sure=sure)
    columns = {"vectors": signals.dense, "words": signals.words, "rank": ranking.ranks, **ranking.parts}
    return _Scored(index, signals.positions, ranking.ranks, scores, columns, sure)


def _standing_instructions(index: ScopeIndex, query: Query, now: datetime) -> list[_Hit]:
    """The person's newest instructions, oldest first."""
    standing = [memory for memory in index.standing_instructions() if visible(memory, query, now)]
    count = min(MAX_STANDING_INSTRUCTIONS, query.limit)
    return [_Hit(memory) for memory in sorted(standing, key=lambda memory: (memory.created, memory.id))[-count:]]


def _within_budget(
    candidates: Iterable[_Hit], query: Query, tokens: int
) -> tuple[list[_Hit], list[tuple[_Hit, Reason]]]:
    """The candidates that fit into the block, and those that do not."""
    name_projects = query.scope.project is None
    budget = BlockBudget(tokens=tokens, limit=query.limit, layout=query.layout, name_projects=name_projects)
    kept: list[_Hit] = []
    over: list[tuple[_Hit, Reason]] = []
    for hit in candidates:
        if (rejection := budget.try_add(hit.memory)) is None:
            kept.append(hit)
        else:
            over.append((hit, rejection))
    return kept, over
