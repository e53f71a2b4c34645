"""A query, and which memories it may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from litellm_memory.models import BlockStyle, Memory, MemoryKind, Scope

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
HIDDEN: frozenset[str] = frozenset(get_args(Hidden))


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
    shared: Scope | None = None
    """The layer whose memories are searched beside the scope's own; projects narrow both alike."""
    aliases: frozenset[str] = frozenset()
    """Other names of the scope's project; filled in by ``Recall``."""
    any_language: bool = False
    """True when the embedding model is multilingual; filled in by ``Recall``."""

    def covers(self, memory: Memory) -> bool:
        """True for a memory of one's own, or of the layer."""
        own, shared = self.scope, self.shared
        if memory.partition == own.partition and memory.user == own.user:
            return True
        return shared is not None and memory.partition == shared.partition and memory.user == shared.user


def visible(memory: Memory, query: Query, now: datetime) -> bool:
    """True when this query may see the memory: of its scopes, in force, of the kinds and tags asked for."""
    return hidden(memory, query, now) is None


def hidden(memory: Memory, query: Query, now: datetime) -> Hidden | None:
    """Why this query may not see the memory; None when it may."""
    scope = query.scope
    if not query.covers(memory):
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
