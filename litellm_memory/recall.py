"""A turn and its scope to what is worth remembering for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from litellm_memory.index.ranking import Room, Signals, best_first, rank, shown_scores, sureness
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.ledger import Paths
from litellm_memory.memories import Memories
from litellm_memory.models import Memory, MemoryKind, Recalled, Scope
from litellm_memory.render import BlockStyle
from litellm_memory.text.cues import asks_time, plain
from litellm_memory.text.words import is_english

ON_LOOP = 2048
"""Most memories of a scope that is searched on the event loop, which takes 0.3 ms for 1,000, as long as reading the
request does. A thread has to ask for the interpreter some twenty times while it searches: 24 ms beside a busy loop."""
THREADS = 4
"""Most searches of larger scopes at once."""
WISHES = 4
"""Most standing wishes of a block: they hold whatever is asked, so they must not crowd out what was asked for."""
MAX_REJECTED = 16
"""At most this many rejected memories are reported with a reason."""
SPARE = 16
"""Memories that are looked at beyond the limit, for those that do not fit into the budget."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, in whose memory, and how much of it may come back."""

    text: str
    scope: Scope
    limit: int
    min_score: float
    tokens: int | None = None
    """Most tokens of the block; None when the results go into no block, and may say a thing twice."""
    layout: BlockStyle | None = None
    """How the client wishes the block to be written, which decides what fits."""
    kinds: frozenset[MemoryKind] = frozenset()
    tags: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    """Ids that the conversation carries already."""
    said: frozenset[str] = frozenset()
    """Marks of the conversation's own messages: what was learned from them stands in it."""
    wishes: bool = True
    """Standing wishes come too, whatever is asked."""
    strict_projects: bool = False
    aliases: frozenset[str] = frozenset()
    """Paths that are the scope's project too; ``Recall`` looks them up."""
    any_language: bool = False
    """The vectors tell texts apart in any language; ``Recall`` asks."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A memory that came near and was not recalled, with its score and the reason."""

    memory: Memory
    score: float
    reason: str
    why: Mapping[str, float] = field(default_factory=dict)
    """The parts that the score came from."""


@dataclass(frozen=True, slots=True)
class Recollection:
    """What a query brought: what is recalled, and the best of what came near and is not, at most MAX_REJECTED."""

    recalled: list[Recalled] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def visible(memory: Memory, query: Query, now: datetime) -> bool:
    """True when this query may see the memory: its own scope, in force, of the kinds and tags asked for."""
    return hidden(memory, query, now) is None


def hidden(memory: Memory, query: Query, now: datetime) -> str | None:
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
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="litellm-memory-search")

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False)

    async def __call__(self, query: Query, *, now: datetime) -> Recollection:
        """The memories for a query: standing wishes, then the rest in falling score, within limit and tokens."""
        index = await self._memories.searched(query.scope.partition, query.scope.user, query.text)
        if not len(index) or query.limit == 0:
            return Recollection()
        scope = query.scope
        if scope.project is not None:
            names = await self._paths.names(scope.namespace, scope.project, scope.path, now=now)
            query = replace(query, scope=replace(scope, project=names.project), aliases=names.aliases)
        vector = await self._memories.vectors.query(query.text)
        query = replace(query, any_language=self._memories.vectors.read_any_language)
        if len(index) <= ON_LOOP:
            return search(index, vector, query, now)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, search, index, vector, query, now)


def search(index: ScopeIndex, vector: NDArray[np.float32] | None, query: Query, now: datetime) -> Recollection:
    """What an index holds for a query; with a budget of tokens, only what goes into the block."""
    wishes = _standing_wishes(index, query, now) if query.wishes else []
    near = _near(index, vector, query, now)
    found = [item for item in near.recalled if item.memory.id not in {w.memory.id for w in wishes}]
    if query.tokens is None:
        return Recollection([*wishes, *found][: query.limit], near.rejected)
    room = Room(tokens=query.tokens, limit=query.limit, layout=query.layout, name_projects=query.scope.project is None)
    refused = [(item, room.refuses(item.memory)) for item in (*wishes, *found)]
    over = [Rejected(item.memory, item.score, reason) for item, reason in refused if reason]
    return Recollection([item for item, reason in refused if not reason], [*over, *near.rejected][:MAX_REJECTED])


def _standing_wishes(index: ScopeIndex, query: Query, now: datetime) -> list[Recalled]:
    """The newest wishes of the person, in the order in which they were said."""
    wishes = [memory for memory in index.standing_wishes() if visible(memory, query, now)]
    newest = sorted(wishes, key=lambda memory: (memory.created, memory.id))[-min(WISHES, query.limit) :]
    return [Recalled(memory, 1.0, {"standing_wish": 1.0}) for memory in newest]


def _near(index: ScopeIndex, vector: NDArray[np.float32] | None, query: Query, now: datetime) -> Recollection:
    """What the query may see and is near enough, in falling score, with the best of the rest."""
    signals = index.signals(vector, query.text)
    letters = plain(query.text)
    english = letters if is_english(query.text) else 0.0
    trust, sure_of = (1.0, 1.0) if query.any_language else (letters, english)
    with_vectors = vector is not None
    ranks = rank(signals, asks_time=asks_time(query.text), trust=trust * with_vectors)
    surest = sureness(signals, trust=sure_of * with_vectors, english=english)
    seen = _Seen(index, signals, query, now)
    sure = next((float(surest[row]) for row in best_first(surest, at_least=0.0) if seen.at(row)), 0.0)
    scores = shown_scores(ranks, sure=sure)
    near = Recollection()
    for row in best_first(ranks, at_least=-1.0):
        is_near = scores[row] >= query.min_score
        if len(near.recalled) == query.limit + SPARE or not (is_near or len(near.rejected) < MAX_REJECTED):
            break
        memory = seen.at(row)
        if len(near.rejected) < MAX_REJECTED and not (memory and is_near):
            near.rejected.extend(seen.passed_over(row, float(scores[row])))
        if memory and is_near:
            parts = {"vectors": float(signals.dense[row]), "words": float(signals.words[row]), "sure": sure}
            near.recalled.append(Recalled(memory, float(scores[row]), parts))
    return near


@dataclass(frozen=True, slots=True)
class _Seen:
    """The memories of an index as one query may see them."""

    index: ScopeIndex
    signals: Signals
    query: Query
    now: datetime

    def at(self, row: int) -> Memory | None:
        """The memory of a row of the signals; None where this query may see none."""
        memory = self.index.at(int(self.signals.positions[row]))
        return memory if memory is not None and visible(memory, self.query, self.now) else None

    def passed_over(self, row: int, score: float) -> list[Rejected]:
        """The memory of a row that is not recalled, with the reason; nothing where there is none."""
        memory = self.index.at(int(self.signals.positions[row]))
        if memory is None:
            return []
        return [Rejected(memory, score, hidden(memory, self.query, self.now) or "threshold")]
