"""The tools of ``/mcp``, with the descriptions that an agent's model reads.

The client's configuration decides whose memory it is, by its key and its headers; a model cannot choose a user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from litellm_memory.api.memories import Found, MemoryIn, MemoryPatch, SearchIn, corrected, memory_of, search_of
from litellm_memory.api.paging import cursor_at, position_at
from litellm_memory.api.traces import UNKNOWN, trace_out
from litellm_memory.care.audit import reason_to_refuse
from litellm_memory.care.given import Name, Said, Shape, Tags
from litellm_memory.care.shown import MemoryOut
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.gate.access import Access
from litellm_memory.gate.apart import apart
from litellm_memory.ledger import ListFilter, Switch
from litellm_memory.models import Memory, MemoryKind, Origin, Scope, namespace

AddableKind = Literal["fact", "preference", "decision"]
"""Kinds that a model may add. A standing instruction must come from the person: text that reaches the model could
inject one."""


WAITS: Final = "It waits for its owner's word."
"""All that an agent is told of such a memory: its text, and who put it there may have told the reason."""


class RefusedError(LiteLLMMemoryError):
    """A tool refuses; the message says what else to do."""


@dataclass(frozen=True, slots=True)
class Acting:
    """The scope and partition on behalf of which a tool is called."""

    access: Access
    scope: Scope
    partition: str

    @property
    def engine(self) -> Engine:
        """Whose memories these are."""
        return self.access.engine

    async def own(self, memory_id: str) -> Memory:
        """This user's memory with an id. Raises NotFoundError for an unknown id and for another user's."""
        memory = await self.engine.memories.get(self.partition, memory_id)
        if memory.user != self.scope.user:
            raise NotFoundError("There is no memory with this id.")
        return memory

    def shape(self, memory: Memory) -> dict[str, Any]:
        """The memory as JSON."""
        return MemoryOut.shown(memory, self.engine.redactor).model_dump(mode="json")


MemoryId = Annotated[Name, Field(description="The memory's id, as search and list tell it.")]
ProjectName = Annotated[
    Name | None, Field(description="The project, such as its git remote; the client's when left out.")
]


class Search(Shape):
    """What to search for."""

    query: Said = Field(description="What to look for, in plain words.")
    limit: int = Field(10, ge=1, le=50, description="Most memories.")
    project: ProjectName = None
    kinds: list[MemoryKind] = Field(default_factory=list, description="Only these kinds.")
    shared: bool = Field(False, description="Also what the person's team shares.")


class Add(Shape):
    """What to remember."""

    text: Said = Field(description="One statement that makes sense by itself.")
    kind: AddableKind = Field("fact", description="What sort of statement it is.")
    project: ProjectName = None
    tags: Tags = Field(default_factory=list, description="Words to find it by.")


class Correct(Shape):
    """Which memory says what from now on."""

    id: MemoryId
    text: Said = Field(description="The whole new text.")


class Forget(Shape):
    """Which memory goes."""

    id: MemoryId


class List(Shape):
    """Which page of them."""

    limit: int = Field(50, ge=1, le=200, description="Most memories of the page.")
    cursor: Name | None = Field(None, description="`next_cursor` of the page before.")


class Why(Shape):
    """Which request, and which memory."""

    trace: Name = Field(description="The id that the answer's header `x-memory-trace` had.")
    memory: Name | None = Field(None, description="The memory to tell of; all that were looked at when left out.")


async def _search(acting: Acting, given: Search) -> dict[str, Any]:
    scope = acting.scope
    asked = SearchIn(
        query=given.query,
        limit=given.limit,
        user=scope.user,
        project=given.project or scope.project,
        kinds=given.kinds,
        shared=given.shared,
    )
    query = search_of(acting.access, asked, acting.partition)
    found = await acting.engine.recall(query, now=datetime.now(UTC))
    shown = (Found.shown(item, acting.engine.redactor) for item in found.recalled)
    return {"results": [item.model_dump(mode="json") for item in shown]}


async def _add(acting: Acting, given: Add) -> dict[str, Any]:
    await _unless_suspicious(acting, "\n".join((given.text, given.project or "", *given.tags)))
    scope = acting.scope
    asked = MemoryIn(
        text=given.text, kind=given.kind, tags=given.tags, user=scope.user, project=given.project or scope.project
    )
    memory = memory_of(acting.engine, asked, acting.partition, Origin("assistant", scope.client))
    [kept] = await acting.engine.memories.keep([memory])
    return acting.shape(kept)


async def _correct(acting: Acting, given: Correct) -> dict[str, Any]:
    await _unless_suspicious(acting, given.text)
    await acting.own(given.id)
    by_agent = partial(_corrected, acting, given.text)
    return acting.shape(await acting.engine.memories.correct(acting.partition, given.id, by_agent))


def _corrected(acting: Acting, text: str, memory: Memory) -> Memory:
    """The memory with an agent's text. Raises RefusedError for what only its owner may word."""
    if memory.kind == "instruction":
        raise RefusedError("Not changed, because it is a standing wish: let the person change it.")
    if memory.review is not None:
        raise RefusedError("Not changed, because it waits for its owner's word on the text that it has now.")
    changed = corrected(acting.engine.redactor, MemoryPatch(text=text), memory)
    return replace(changed, origin=replace(memory.origin, role="assistant", client=acting.scope.client))


async def _forget(acting: Acting, given: Forget) -> dict[str, Any]:
    await acting.own(given.id)
    await acting.engine.memories.forget(acting.partition, given.id)
    return {"forgotten": given.id}


async def _list(acting: Acting, given: List) -> dict[str, Any]:
    # What waits was written to steer a model, for all that is known, and its owner has not read it yet.
    asked = ListFilter(namespace=namespace(acting.partition, acting.scope.user), settled=True)
    after = position_at(given.cursor)
    page, following = await acting.engine.memories.lists.page(acting.partition, asked, after=after, limit=given.limit)
    return {"data": [acting.shape(memory) for memory in page], "next_cursor": cursor_at(following)}


async def _why(acting: Acting, given: Why) -> dict[str, Any]:
    trace = await acting.engine.ledger.traces.get(acting.partition, given.trace)
    if trace is None or trace.user not in ("", acting.scope.user):
        raise NotFoundError(UNKNOWN)
    answer = await trace_out(acting.access, trace, asked=given.memory)
    ids = [one.memory for one in (*answer.candidates, *([answer.asked] if answer.asked else ()))]
    found = await acting.engine.memories.entries(acting.partition, ids)
    waiting = {memory.id for memory in found if memory.review is not None}
    if answer.asked is not None:
        return answer.asked.model_dump(mode="json") | ({"because": WAITS} if answer.asked.memory in waiting else {})
    looked_at = [
        {"memory": one.memory, "text": one.text, "because": one.because, "score": one.score}
        | ({"text": None, "because": WAITS} if one.memory in waiting else {})
        for one in answer.candidates
    ]
    return {"trace": trace.id, "status": trace.status, "why": answer.why, "memories": looked_at}


async def _unless_suspicious(acting: Acting, text: str) -> None:
    """Raises RefusedError for a text that needs review: a page may have told the model to store it."""
    redactor = acting.engine.redactor  # What is kept is judged: a secret reads like nothing that anybody says.
    if reason := await apart(lambda: reason_to_refuse(redactor.text(text))):
        raise RefusedError(f"Not kept, because {reason}: let the person add it with `litellm-memory add`.")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its description for the model, its input, and its implementation. ``run`` raises LiteLLMMemoryError."""

    description: str
    takes: type[Shape]
    run: Callable[[Acting, Any], Awaitable[dict[str, Any]]]
    writes: bool = False
    destroys: bool = False
    needs: Switch | None = None
    """What a policy has to allow for it, and its person must not have paused."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent's client: the scope of its tools, and what its key may do."""

    access: Access
    scope: Scope

    async def acting(self, tool: Tool) -> Acting:
        """The scope and partition for ``tool``. Raises HTTPException as ``Access.partition`` and ``comply`` do."""
        partition = await self.access.partition(writes=tool.writes)
        if tool.needs is not None:
            self.access.comply(tool.needs, partition, self.scope.user, by_model=True)
        return Acting(self.access, self.scope, partition)


TOOLS: Final[Mapping[str, Tool]] = {
    "search": Tool("Search this person's long-term memory, best first.", Search, _search, needs="recall"),
    "add": Tool(
        "Remember one statement about this person or their work for all later conversations.",
        Add,
        _add,
        True,
        needs="learn",
    ),
    "correct": Tool(
        "Put a new text in place of a memory's old one.",
        Correct,
        _correct,
        True,
        True,
        needs="learn",
    ),
    "forget": Tool("Forget a memory for good.", Forget, _forget, True, True),
    "list": Tool("List this person's memories in force, newest first.", List, _list, needs="recall"),
    "why": Tool("Tell why memories were recalled for an earlier request, or were not.", Why, _why),
}
