"""Looking through the memories of a partition: by what is searched for, by what they are, and by their state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from pydantic import ConfigDict, Field

from litellm_memory.care.given import Moment, Name, Said, Shape
from litellm_memory.ledger import Ledger, ListFilter, ListPosition
from litellm_memory.ledger.listing import EPOCH, MICROSECOND
from litellm_memory.memories import Memories
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import Recollection
from litellm_memory.models import Memory, MemoryKind, Recalled, Scope, namespace

State: TypeAlias = Literal["in_force", "pinned", "waiting", "replaced", "over", "any"]

MOST_LOOKED_AT: Final = 2000
"""Memories that one page of a list looks at; a list with a rare filter takes several pages."""
MOST_FOUND: Final = 100
"""Memories that a search finds for each user."""
MOST_USERS: Final = 8
"""Users whose memories are searched when none is named."""


class BrowseIn(Shape):
    """What to look for among memories; everything may be left out."""

    model_config = ConfigDict(json_schema_extra={"example": {"query": "when do we release", "state": "in_force"}})

    query: Said | None = Field(None, description="Ranked as for a request, for memories that are in force.")
    user: Name | None = None
    project: Name | None = None
    kinds: list[MemoryKind] = Field(default_factory=list)
    tag: Name | None = None
    id: str | None = Field(
        None, pattern="^[0-9a-f]{1,40}$", description="How its id begins, or what follows the id's first 16 digits."
    )
    client: Name | None = None
    state: State = "in_force"
    since: Moment | None = None
    until: Moment | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=300)

    @property
    def narrows_what_is_found(self) -> bool:
        """True when not all that a search finds for the query may be shown."""
        return self.state != "in_force" or any((self.project, self.client, self.since, self.until))

    def admits(self, memory: Memory, now: datetime) -> bool:
        """True for a memory that matches all that is asked for but the query."""
        return (
            _is(memory, self.state, now)
            and self.user in (None, memory.user)
            and self.project in (None, memory.project)
            and (not self.kinds or memory.kind in self.kinds)
            and (self.tag is None or self.tag in memory.tags)
            and self.client in (None, memory.origin.client)
            and (self.since is None or memory.created >= self.since)
            and (self.until is None or memory.created < self.until)
        )


class Recalling(Protocol):
    """Recall, in this process or in the search process."""

    def __call__(self, query: Query, *, now: datetime) -> Awaitable[Recollection]:
        """What a query recalls."""
        ...


@dataclass(frozen=True, slots=True)
class Browsed:
    """One page of what was found, and where the next one begins. ``users``: whose memories were searched."""

    found: Sequence[Recalled]
    after: ListPosition | None = None
    users: Sequence[str] = ()


async def browse(
    memories: Memories,
    recall: Recalling,
    partition: str,
    asked: BrowseIn,
    *,
    after: ListPosition | None,
    now: datetime,
) -> Browsed:
    """A page of memories: best first for a query about those in force, else newest first."""
    if asked.query is not None and asked.state in ("in_force", "pinned"):
        return await _search(memories, recall, partition, asked, asked.query, now)
    words = (asked.query or "").casefold().split()

    def admits(memory: Memory) -> bool:
        return asked.admits(memory, now) and all(word in memory.text.casefold() for word in words)

    return await _list(memories, partition, asked, admits, after)


async def _search(
    memories: Memories, recall: Recalling, partition: str, asked: BrowseIn, query: str, now: datetime
) -> Browsed:
    users = [asked.user] if asked.user else await memories.lists.newest_users(partition, limit=MOST_USERS)
    found: list[Recalled] = []
    for user in users:
        scope = Scope(partition, user, project=asked.project)
        tags = frozenset({asked.tag} if asked.tag else ())
        most = MOST_FOUND if asked.narrows_what_is_found else asked.limit
        wanted = Query(query, scope, most, 0.0, kinds=frozenset(asked.kinds), tags=tags, standing_instructions=False)
        found += (await recall(wanted, now=now)).recalled
    best = sorted((one for one in found if asked.admits(one.memory, now)), key=lambda one: one.score, reverse=True)
    return Browsed(best[: asked.limit], users=users)


async def _list(
    memories: Memories,
    partition: str,
    asked: BrowseIn,
    admits: Callable[[Memory], bool],
    after: ListPosition | None,
) -> Browsed:
    space = None if asked.user is None else namespace(partition, asked.user)
    rows = ListFilter(
        namespace=space, project=asked.project, waiting=asked.state == "waiting", since=asked.since, id=asked.id
    )
    if after is None and asked.until is not None:
        after = ListPosition((asked.until - EPOCH) // MICROSECOND, "")
    found: list[Memory] = []
    for _ in range(0, MOST_LOOKED_AT, asked.limit):
        page, after = await memories.lists.page(partition, rows, after=after, limit=asked.limit)
        found += filter(admits, page)
        if after is None or len(found) >= asked.limit:
            break
    return Browsed([Recalled(memory, 0.0) for memory in found], after)


def _is(memory: Memory, state: State, now: datetime) -> bool:
    states: Mapping[State, bool] = {
        "any": True,
        "in_force": memory.in_force(now),
        "pinned": memory.pinned,
        "waiting": memory.review is not None,
        "replaced": memory.superseded_by is not None,
        "over": memory.valid_until is not None and memory.valid_until <= now and memory.superseded_by is None,
    }
    return states[state]


@dataclass(frozen=True, slots=True)
class History:
    """Where a memory came from, what it replaced, what replaced it, and which requests it was given to."""

    memory: Memory
    replaced: Sequence[Memory] = ()
    replaced_by: Memory | None = None
    given: Sequence[Giving] = ()


@dataclass(frozen=True, slots=True)
class Giving:
    """A request to which a memory was given: its trace, client and session, and the memory's score for it."""

    trace: str
    at: datetime
    client: str | None
    session: str | None
    model: str | None
    score: float


MOST_GIVINGS: Final = 50


async def history_of(ledger: Ledger, memories: Memories, partition: str, memory_id: str) -> History:
    """The history of a memory, as far as traces are kept. Raises NotFoundError."""
    memory = await memories.get(partition, memory_id)
    replaced = await memories.lists.superseded_by(partition, [memory_id])
    successor = [] if memory.superseded_by is None else await memories.entries(partition, [memory.superseded_by.id])
    traces = await ledger.traces.with_memory(memory.namespace, memory_id, limit=MOST_GIVINGS)
    given = [
        Giving(trace.id, trace.at, trace.client, trace.session, trace.model, candidate.score)
        for trace in traces
        for candidate in trace.candidates
        if candidate.memory == memory_id and candidate.left_out is None
    ]
    return History(memory, sorted(replaced, key=lambda one: one.created), next(iter(successor), None), given)
