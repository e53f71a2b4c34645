"""Memories over HTTP: list, add, search, read, correct, forget. Every route acts in the caller's partition."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from litellm_memory.api.paging import Cursor, Limit, cursor_at, position_at
from litellm_memory.api.shapes import MemoriesOut, shown_as
from litellm_memory.care.audit import reason_to_refuse
from litellm_memory.care.given import Moment, Name, Said, Shape, Tags
from litellm_memory.care.rollback import cut_out
from litellm_memory.care.shown import MemoryOut
from litellm_memory.care.undo import undo
from litellm_memory.engine import Engine
from litellm_memory.gate.access import Access, ReadPartition, WithAccess, WithEngine, WritePartition
from litellm_memory.gate.apart import answer_with, apart
from litellm_memory.identity.layers import user_in
from litellm_memory.identity.projects import safe_project
from litellm_memory.ledger import ListFilter
from litellm_memory.memories.query import Query as Search
from litellm_memory.models import Memory, MemoryKind, Origin, Recalled, Scope, memory_id, namespace
from litellm_memory.redact import Redactor

API = Origin("api")


class MemoryIn(Shape):
    """A memory to add; everything but its text is optional."""

    model_config = shown_as(text="Releases go out on Tuesdays.", project="github.com/acme/shop", tags=["release"])

    text: Said
    kind: MemoryKind = "fact"
    tags: Tags = Field(default_factory=list)
    user: Name | None = None
    project: Name | None = None
    session: Name | None = None
    created: Moment | None = None
    expires: Moment | None = Field(None, description="From then on it is not recalled any more (`valid_until`).")
    pinned: bool = False


class MemoryPatch(Shape):
    """What to correct in a memory; what is left out stays. ``null`` takes a project, a session or a time away."""

    model_config = shown_as(text="Releases go out on Fridays.", pinned=True)

    text: Said = ""
    kind: MemoryKind = "fact"
    tags: Tags = Field(default_factory=list)
    project: Name | None = None
    session: Name | None = None
    pinned: bool = False
    confidence: float = Field(1.0, ge=0, le=1)
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    review: Said = Field("", description="Why it shall wait for its owner's word and not be recalled until then.")


class SearchIn(Shape):
    """What to search for."""

    model_config = shown_as(query="when do we release", limit=5, project="github.com/acme/shop")

    query: Said
    limit: int = Field(10, ge=1, le=100)
    user: Name | None = None
    project: Name | None = None
    kinds: list[MemoryKind] = Field(default_factory=list)
    tags: Tags = Field(default_factory=list)
    shared: bool = Field(False, description="Also what your team shares.")
    min_score: float = Field(0.0, ge=0, le=1, description="Leave out what has a lower score.")


class Found(Shape):
    """A memory with its score (0 to 1) and what the score is made of."""

    memory: MemoryOut
    score: float
    why: Mapping[str, float]

    @classmethod
    def shown(cls, recalled: Recalled, redactor: Redactor) -> Found:
        """A search result in every response."""
        return cls(memory=MemoryOut.shown(recalled.memory, redactor), score=recalled.score, why=recalled.why)


class SearchOut(Shape):
    """What was found, best first."""

    results: list[Found]


router = APIRouter(prefix="/v1/memories", tags=["memories"])


@router.get("", summary="List memories, newest first", response_model=MemoriesOut)
async def list_memories(
    engine: WithEngine,
    partition: ReadPartition,
    user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    asked = ListFilter(namespace=None if user is None else namespace(partition, user))
    page, following = await engine.memories.lists.page(partition, asked, after=position_at(cursor), limit=limit)
    shape = partial(MemoryOut.shown, redactor=engine.redactor)
    return await answer_with("data", page, shape, next_cursor=cursor_at(following))


@router.post("", status_code=201, summary="Add a memory")
async def add_memory(access: WithAccess, partition: WritePartition, memory: MemoryIn) -> MemoryOut:
    engine = access.engine
    access.comply("learn", partition, user_in(partition, memory.user, engine.settings.identity.default_user_id))
    given = memory_of(engine, memory, partition)
    [kept] = await engine.memories.keep([replace(given, review=await _reason_to_wait(given))])
    return MemoryOut.shown(kept, engine.redactor)


@router.post("/search", summary="Search memories, best first", response_model=SearchOut)
async def search_memories(access: WithAccess, partition: ReadPartition, search: SearchIn) -> Response:
    engine = access.engine
    found = await engine.recall(search_of(access, search, partition), now=datetime.now(UTC))
    return await answer_with("results", found.recalled, partial(Found.shown, redactor=engine.redactor))


@router.get("/{memory_id}", summary="Read a memory")
async def read_memory(engine: WithEngine, partition: ReadPartition, memory_id: str) -> MemoryOut:
    return MemoryOut.shown(await engine.memories.get(partition, memory_id), engine.redactor)


@router.patch("/{memory_id}", summary="Correct a memory; what is left out stays")
async def correct_memory(
    engine: WithEngine,
    partition: WritePartition,
    memory_id: str,
    patch: MemoryPatch,
    cut: Annotated[bool, Query(description="Take it out of the blocks of running conversations too.")] = False,
) -> MemoryOut:
    known = await engine.memories.get(partition, memory_id)
    told = corrected(engine.redactor, patch, known)
    is_new = (told.text, told.tags, told.session) != (known.text, known.tags, known.session)
    if is_new and not told.review and (why := await _reason_to_wait(told)):
        patch = patch.model_copy(update={"review": why})
    memory = await engine.memories.correct(partition, memory_id, partial(corrected, engine.redactor, patch))
    if cut or patch.review:
        # What waits is not sent again, and a text that had to go is not either.
        memory = await cut_out(engine.memories, engine.ledger, memory)
    return MemoryOut.shown(memory, engine.redactor)


@router.delete("/{memory_id}", status_code=204, response_class=Response, summary="Forget a memory")
async def forget_memory(engine: WithEngine, partition: WritePartition, memory_id: str) -> None:
    await engine.memories.forget(partition, memory_id)


@router.post("/{memory_id}/undo", summary="Bring back what a person's wish removed, within ten minutes")
async def undo_removal(engine: WithEngine, partition: WritePartition, memory_id: str) -> MemoryOut:
    return MemoryOut.shown(await undo(engine.ledger, engine.memories, partition, memory_id), engine.redactor)


def memory_of(engine: Engine, given: MemoryIn, partition: str, origin: Origin = API) -> Memory:
    """A new memory from the request, redacted."""
    user = user_in(partition, given.user, engine.settings.identity.default_user_id)
    now = datetime.now(UTC)
    created = given.created or now
    memory = Memory(
        id=memory_id(namespace(partition, user), secrets.token_hex(16), key=engine.ledger.key),
        partition=partition,
        user=user,
        text=given.text,
        kind=given.kind,
        created=created,
        valid_from=created,
        valid_until=given.expires,
        project=given.project and safe_project(given.project),
        session=given.session,
        tags=tuple(given.tags),
        origin=origin,
        pinned=given.pinned,
        kept=now if given.created else None,
    )
    return engine.redactor.memory(memory)


async def _reason_to_wait(memory: Memory) -> str | None:
    """Why a memory that somebody worded must wait for its owner's word; None when it need not."""
    return await apart(partial(reason_to_refuse, "\n".join((memory.text, *memory.tags, memory.session or ""))))


def corrected(redactor: Redactor, patch: MemoryPatch, memory: Memory) -> Memory:
    """The memory with the patch applied, redacted."""
    changes = {name: getattr(patch, name) for name in patch.model_fields_set}
    if changes.get("project"):
        changes["project"] = safe_project(changes["project"])
    if "tags" in changes:
        changes["tags"] = tuple(changes["tags"])
    return redactor.memory(replace(memory, **changes))


def search_of(access: Access, given: SearchIn, partition: str) -> Search:
    """The recall for a search: any score is enough unless it asks for more; no standing instructions are added."""
    engine = access.engine
    user = user_in(partition, given.user, engine.settings.identity.default_user_id)
    layer = access.given(partition, user) if given.shared else None
    return Search(
        text=given.query,
        scope=Scope(partition, user, project=given.project and safe_project(given.project)),
        shared=layer.scope if layer is not None else None,
        limit=given.limit,
        min_score=given.min_score,
        kinds=frozenset(given.kinds),
        tags=frozenset(given.tags),
        standing_instructions=False,
        strict_projects=engine.settings.identity.projects == "strict",
    )
