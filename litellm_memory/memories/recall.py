"""Recall: the memories of a scope that are relevant to a query."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, islice, repeat
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.beside import IndexBeside
from litellm_memory.index.ranking import Ranking, Signals, best_first, confidence, rank, shown_scores
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.ledger import Paths
from litellm_memory.memories import Memories
from litellm_memory.memories.adding import COMPARED as HELD_AGAINST_FIRST
from litellm_memory.memories.adding import Adding
from litellm_memory.memories.need import Index, Judging, by_need, english_share
from litellm_memory.memories.query import HIDDEN, Hidden, Query, hidden, visible
from litellm_memory.memories.vectors import Needed
from litellm_memory.models import Memory, Recalled, Scope
from litellm_memory.render import BlockBudget, Rejection
from litellm_memory.text.cues import plain

MAX_ON_EVENT_LOOP = 12_000
"""Scopes of at most this many memories are searched on the event loop: 1 to 2 ms, as long as parsing a long request.
A search in a thread waits for the GIL some twenty times: 24 ms when the event loop is busy."""
SEARCH_THREADS = 4
"""At most this many larger scopes are searched at once."""
MAX_STANDING_INSTRUCTIONS = 4
"""At most this many per block: they are recalled for every query, so they must not crowd out what was asked for."""
MAX_REJECTED_REPORTED = 16
"""At most this many rejected memories are reported with a reason."""
BREVITY = 0.1
"""Where not all fit, one that is twice as long must rank 7 % higher. By folds a block of 512 tokens then has 1 point
more of the evidence in dialogues and 3 more in chats with an assistant; with 0.2, dialogues lose what they gained."""
EXTRA_CANDIDATES = 16
"""Candidates beyond the limit, to replace those that do not fit into the budget."""
COMPARED, CLEAR, FAINT = 10, 0.28, 0.08
"""A result by the table of token vectors is unclear when the ranks of this many best memories lie within CLEAR, unless
the best score is more than FAINT below the threshold. With these and with those around them, LoCoMo, BEAM and the
made-up chats lose at most half a point (docs/decisions/question-vectors.md)."""
MOSTLY_ENGLISH = 0.9
"""From this share of words in English letters on, the local model's table of token vectors is used."""

Reason: TypeAlias = Hidden | Rejection | Literal["threshold", "far_behind"]
"""Why a memory is not recalled: hidden, not put into the block, scored below the threshold, or a block has much better
ones."""


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


class Recall:
    """Searches one user's index."""

    def __init__(self, memories: Memories, paths: Paths) -> None:
        self._memories = memories
        self._paths = paths
        self._threads = ThreadPoolExecutor(SEARCH_THREADS, thread_name_prefix="litellm-memory-search")
        self._judging = Judging(memories.vectors)

    def close(self) -> None:
        """Shuts down the search threads."""
        self._threads.shutdown(wait=False)
        self._judging.close()

    async def __call__(self, query: Query, *, now: datetime) -> Recollection:
        """The memories for a query: standing instructions, then the rest by descending score, within both limits."""
        query = replace(query, any_language=self._memories.vectors.read_any_language)
        if query.limit == 0:
            return Recollection()
        index = await self._index(query)
        if not len(index):
            self._judging.make_ready(query.text)
            return Recollection()
        scope = query.scope
        if scope.project is not None:
            names = await self._paths.names(scope.namespace, scope.project, scope.path, now=now)
            query = replace(query, scope=replace(scope, project=names.project), aliases=names.aliases)
        vectors = self._memories.vectors
        if self._judging.judges(query.text):
            judged = await self._judging(lambda needed: search(index, None, query, now, needed=needed))
            return judged or await self._searched(index, None, query, now)
        found = None
        if english_share(query.text) >= MOSTLY_ENGLISH and (vector := vectors.static_query(query.text)) is not None:
            found = await self._searched(index, vector, query, now)
            if vectors.mode == "static" or not unclear(found, query):
                return found
        vector = await vectors.query(query.text, asked=now)
        # Without the model the table's result is better than words alone.
        return found if found is not None and vector is None else await self._searched(index, vector, query, now)

    async def _index(self, query: Query) -> Index:
        """What the query searches: the scope's memories, and beside them those of the layer when there are any."""

        def of(scope: Scope) -> Coroutine[Any, Any, ScopeIndex]:
            return self._memories.index_for_query(scope.partition, scope.user, query.text)

        if query.shared is None:
            return await of(query.scope)
        whole = self._memories.following.whole
        found = [index for one in (query.scope, query.shared) if (index := whole(one.partition, one.user)) is not None]
        # Together: while they are loaded, each takes a third of the deadline.
        own, shared = found if len(found) == 2 else await asyncio.gather(of(query.scope), of(query.shared))
        return IndexBeside(own, shared) if len(shared) else own

    async def _searched(
        self, index: Index, vector: NDArray[np.float32] | None, query: Query, now: datetime
    ) -> Recollection:
        if len(index) <= MAX_ON_EVENT_LOOP:
            return search(index, vector, query, now)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, search, index, vector, query, now)


def unclear(found: Recollection, query: Query) -> bool:
    """True when a better vector may change what is found: the best differ little, or are about as good as the
    threshold."""
    seen: list[Recalled | Rejected] = [*found.recalled, *(one for one in found.rejected if one.reason not in HIDDEN)]
    ranks = sorted((item.why["rank"] for item in seen if "rank" in item.why), reverse=True)[:COMPARED]
    if not ranks or max(item.score for item in seen if "rank" in item.why) < query.min_score - FAINT:
        return False
    return ranks[0] - ranks[-1] < CLEAR


class _Hit(NamedTuple):
    """A memory that may be recalled, and its row in the ranking; None for a standing instruction."""

    memory: Memory
    row: int | None = None


@dataclass(frozen=True, slots=True)
class _Scored:
    """The candidates of an index with their scores for a query. All columns have the same length."""

    index: Index
    signals: Signals
    ranking: Ranking
    scores: NDArray[np.float32]
    columns: Mapping[str, NDArray[np.float32]]
    """The numbers that explain a score, by name."""
    sure: float
    """Confidence in the best memory that the query may see; it caps every score."""
    compares_vectors: bool
    """Whether vectors tell which memories are alike: those of the local model do in English."""

    def near(self, query: Query, now: datetime) -> tuple[list[_Hit], list[tuple[_Hit, Reason]]]:
        """The visible memories above the threshold, by descending score, and the best of the rest."""
        near: list[_Hit] = []
        rejected: list[tuple[_Hit, Reason]] = []
        enough, ranks = query.limit + EXTRA_CANDIDATES, self.ranking.ranks
        position_of, rank_of, passes = self.signals.positions.item, ranks.item, (self.scores >= query.min_score).item
        # No evidence is above its rank, so from some rank on nothing can pass.
        may_pass = (shown_scores(ranks, sure=self.sure) >= query.min_score).item
        order = best_first(ranks, at_least=-1.0)
        best = [*islice(order, HELD_AGAINST_FIRST)]
        adding = None if query.tokens is None else Adding(self.index, self.signals, self.ranking, best, query.text)
        for row in chain(best, order):
            is_reported = len(rejected) < MAX_REJECTED_REPORTED
            may_add = adding is None or rank_of(row) >= adding.lowest_rank
            if len(near) == enough or not (is_reported or (may_add and may_pass(row))):
                break
            if (memory := self.index.at(position_of(row))) is None:
                continue
            reason: Reason | None = hidden(memory, query, now) or (None if passes(row) else "threshold")
            if reason is None and adding is not None:
                reason = adding.why_not(memory, row)
            if reason is None:
                near.append(_Hit(memory, row))
                if adding is not None:
                    adding.add(memory, row, sure=self.sure, compares=self.compares_vectors)
            elif is_reported:
                rejected.append((_Hit(memory, row), reason))
        return near, rejected

    def recollection(self, recalled: Iterable[_Hit], rejected: Iterable[tuple[_Hit, Reason]]) -> Recollection:
        """These memories with their scores and the parts that explain them."""
        recalled, rejected = list(recalled), list(rejected)
        scores = self._scores_of([*recalled, *(hit for hit, _ in rejected)])
        return Recollection(
            [Recalled(hit.memory, *next(scores)) for hit in recalled],
            [Rejected(hit.memory, *next(scores), reason) for hit, reason in rejected],
        )

    def _scores_of(self, hits: Sequence[_Hit]) -> Iterator[tuple[float, dict[str, float]]]:
        """The score of each hit and the parts that explain it."""
        rows = np.array([hit.row for hit in hits if hit.row is not None], np.intp)
        names = [*self.columns, "sure"]
        scores = zip(
            self.scores.take(rows).tolist(),
            zip(*(column.take(rows).tolist() for column in self.columns.values()), repeat(self.sure), strict=False),
            strict=True,
        )
        for hit in hits:
            if hit.row is None:
                yield 1.0, {"standing_wish": 1.0}
            else:
                score, parts = next(scores)
                yield score, dict(zip(names, parts, strict=True))


def search(
    index: Index,
    vector: NDArray[np.float32] | None,
    query: Query,
    now: datetime,
    *,
    needed: Needed | None = None,
) -> Recollection:
    """The memories of an index for a query; with a token budget, only those that go into the block.

    With ``needed``, which takes milliseconds, its probabilities count in place of ``vector``.
    """
    scored = _scored(index, vector, query, now, needed)
    near, rejected = scored.near(query, now)
    standing = _standing_instructions(index, query, now) if query.standing_instructions else []
    ids = {hit.memory.id for hit in standing}
    candidates = [*standing, *(hit for hit in near if hit.memory.id not in ids)]
    rejected = [(hit, reason) for hit, reason in rejected if hit.memory.id not in ids]
    if query.tokens is None:
        return scored.recollection(candidates[: query.limit], rejected)
    if sum(hit.memory.tokens for hit in candidates[: query.limit]) <= query.tokens:
        kept, over = _within_budget(candidates, query, query.tokens)
    else:
        kept, over = _within_budget(_shorter_first(scored, candidates), query, query.tokens)
        place = {hit.memory.id: number for number, hit in enumerate(candidates)}
        kept.sort(key=lambda hit: place[hit.memory.id])
    return scored.recollection(kept, [*over, *rejected][:MAX_REJECTED_REPORTED])


def _scored(
    index: Index, vector: NDArray[np.float32] | None, query: Query, now: datetime, needed: Needed | None = None
) -> _Scored:
    """Scores an index.

    The local model is English only: for other queries ``needed`` counts in its place. Without that, vectors count in
    proportion to the words in English letters, and confidence goes by words alone.
    """
    signals = index.signals(vector, query.text)
    letters, english = plain(query.text), english_share(query.text)
    trust, confidence_trust = (1.0, 1.0) if query.any_language else (letters, english)
    if needed is not None:
        signals, trust, confidence_trust = by_need(signals, index, query.text, needed), 1.0, 1.0
    elif vector is None:
        trust = confidence_trust = 0.0
    ranking = rank(signals, query.text, trust=trust)
    confidences = confidence(
        signals, trust=confidence_trust, english=english, judged_in=None if needed is None else letters
    )
    is_visible = partial(_is_visible, index, signals.positions, query, now)
    surest = int(confidences.argmax()) if len(confidences) else None
    if surest is None or not is_visible(surest):
        # The best one of all is seldom hidden, and much faster to find than an order.
        surest = next(filter(is_visible, best_first(confidences, at_least=0.0)), None)
    sure = 0.0 if surest is None else confidences.item(surest)
    scores = shown_scores(ranking.evidence, sure=sure)
    columns = {
        "vectors": signals.dense,
        "words": signals.words,
        "rank": ranking.ranks,
        "evidence": ranking.evidence,
        **ranking.parts,
    }
    compares = vector is not None and needed is None
    return _Scored(index, signals, ranking, scores, columns, sure, compares)


def _is_visible(index: Index, positions: NDArray[np.intp], query: Query, now: datetime, row: int) -> bool:
    memory = index.at(positions.item(row))
    return memory is not None and visible(memory, query, now)


def _standing_instructions(index: Index, query: Query, now: datetime) -> list[_Hit]:
    """The person's newest instructions, oldest first."""
    standing = [memory for memory in index.standing_instructions() if visible(memory, query, now)]
    count = min(MAX_STANDING_INSTRUCTIONS, query.limit)
    return [_Hit(memory) for memory in sorted(standing, key=lambda memory: (memory.created, memory.id))[-count:]]


def _shorter_first(scored: _Scored, candidates: Sequence[_Hit]) -> list[_Hit]:
    """The candidates by their rank for each token to the power of BREVITY; standing instructions stay first."""

    def worth(hit: _Hit) -> float:
        return (
            math.inf if hit.row is None else scored.ranking.ranks.item(hit.row) / max(1, hit.memory.tokens) ** BREVITY
        )

    return sorted(candidates, key=worth, reverse=True)


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
