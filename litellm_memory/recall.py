"""A turn and its scope to what is worth remembering for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from litellm_memory.ledger.paths import Paths
from litellm_memory.memories import Memories
from litellm_memory.models import Memory, MemoryKind, Recalled, Scope
from litellm_memory.ranking import ENTRY_TOKENS, best_first, fuse, within_budget
from litellm_memory.scope_index import ScopeIndex

WISHES = 4
"""Most standing wishes of a block: they hold whatever is asked, so they must not crowd out what was asked for."""
CANDIDATES = 200
"""Most memories that are looked at in score order before the budget is spent."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, in whose memory, and how much of it may come back."""

    text: str
    scope: Scope
    limit: int
    min_score: float
    tokens: int | None = None
    """Most tokens of all results; None for no bound."""
    kinds: frozenset[MemoryKind] = frozenset()
    tags: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    """Ids that the conversation carries already."""
    wishes: bool = True
    """Standing wishes come too, whatever is asked."""
    strict_projects: bool = False
    aliases: frozenset[str] = frozenset()
    """Paths that are the scope's project too; ``Recall`` looks them up."""


def visible(memory: Memory, query: Query, now: datetime) -> bool:
    """True when this query may see the memory: its own scope, in force, of the kinds and tags asked for."""
    scope = query.scope
    if memory.partition != scope.partition or memory.user != scope.user or not memory.in_force(now):
        return False
    if scope.only_session and memory.session != scope.session:
        return False
    foreign = memory.project is not None and memory.project != scope.project and memory.project not in query.aliases
    if foreign and (scope.project or query.strict_projects):
        return False
    if query.kinds and memory.kind not in query.kinds:
        return False
    return query.tags <= set(memory.tags) and memory.id not in query.without


class Recall:
    """Searches one user's index in a thread of its own, so that no arithmetic runs on the event loop."""

    def __init__(self, memories: Memories, paths: Paths) -> None:
        self._memories = memories
        self._paths = paths
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="litellm-memory-search")

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False)

    async def __call__(self, query: Query, *, now: datetime) -> list[Recalled]:
        """The memories for a query: standing wishes, then the rest in falling score, within limit and tokens."""
        index = await self._memories.index(query.scope.partition, query.scope.user)
        if not len(index) or query.limit == 0:
            return []
        scope = query.scope
        if scope.project is not None:
            names = await self._paths.names(scope.namespace, scope.project, scope.path, now=now)
            query = replace(query, scope=replace(scope, project=names.project), aliases=names.aliases)
        [vector] = await self._memories.vectors([query.text])
        return await asyncio.get_running_loop().run_in_executor(self._thread, _search, index, vector, query, now)


def _search(index: ScopeIndex, vector: NDArray[np.float32] | None, query: Query, now: datetime) -> list[Recalled]:
    wishes = _standing_wishes(index, query, now) if query.wishes else []
    found = [item for item in _found(index, vector, query, now) if item.memory.id not in {w.memory.id for w in wishes}]
    candidates = [*wishes, *found]
    if query.tokens is None:
        return candidates[: query.limit]
    return within_budget(
        candidates, tokens=query.tokens, limit=query.limit, cost=lambda item: item.memory.tokens + ENTRY_TOKENS
    )


def _standing_wishes(index: ScopeIndex, query: Query, now: datetime) -> list[Recalled]:
    """The newest wishes of the person, in the order in which they were said."""
    wishes = [memory for memory in index.standing_wishes() if visible(memory, query, now)]
    newest = sorted(wishes, key=lambda memory: (memory.created, memory.id))[-min(WISHES, query.limit) :]
    return [Recalled(memory, 1.0, {"standing_wish": 1.0}) for memory in newest]


def _found(index: ScopeIndex, vector: NDArray[np.float32] | None, query: Query, now: datetime) -> Iterator[Recalled]:
    scores = index.scores(vector, query.text)
    fused = fuse(scores.dense, scores.words, with_vectors=vector is not None)
    taken = 0
    for position in best_first(fused, at_least=query.min_score):
        memory = index.at(position)
        if memory is not None and visible(memory, query, now):
            parts = {"vectors": float(scores.dense[position]), "words": float(scores.words[position])}
            yield Recalled(memory, float(fused[position]), parts)
            taken += 1
        if taken == CANDIDATES:
            return
