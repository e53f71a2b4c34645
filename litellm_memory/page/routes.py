"""Routes of the HTTP API that the page needs and programs may use: look through, change many, tell a history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Response

from litellm_memory.api.paging import cursor_at, position_at
from litellm_memory.care.browse import BrowseIn, browse, history_of
from litellm_memory.care.bulk import Bulk, BulkIn
from litellm_memory.care.given import Shape
from litellm_memory.care.shown import MemoryOut
from litellm_memory.gate.access import ReadPartition, WithEngine, WritePartition
from litellm_memory.gate.apart import answer_with


class BrowsedOut(Shape):
    """A memory that was found. ``score`` (0 to 1) and its parts are those of a search; a list has none."""

    memory: MemoryOut
    score: float | None
    why: Mapping[str, float]


class BrowseOut(Shape):
    """One page of what was found. ``users``: whose memories were searched, when none was named."""

    data: list[BrowsedOut]
    next_cursor: str | None
    users: list[str]


class BulkOut(Shape):
    """The ids that it was done for, and those for which it could not be done."""

    done: list[str]
    skipped: list[str]


class GivingOut(Shape):
    """A request to which the memory was given, by its trace."""

    trace: str
    at: datetime
    client: str | None
    session: str | None
    model: str | None
    score: float


class HistoryOut(Shape):
    """Where a memory came from, what it replaced, what replaced it, and to which requests it was given."""

    memory: MemoryOut
    replaced: list[MemoryOut]
    replaced_by: MemoryOut | None
    given: list[GivingOut]


router = APIRouter(prefix="/v1", tags=["memories"])


@router.post(
    "/browse",
    summary="Look through memories: ranked for a query, or newest first by what they are",
    response_model=BrowseOut,
)
async def browse_memories(engine: WithEngine, partition: ReadPartition, asked: BrowseIn) -> Response:
    found = await browse(
        engine.memories, engine.recall, partition, asked, after=position_at(asked.cursor), now=datetime.now(UTC)
    )
    return await answer_with(
        "data",
        found.found,
        lambda one: BrowsedOut(
            memory=MemoryOut.shown(one.memory, engine.redactor), score=one.score if one.why else None, why=one.why
        ),
        next_cursor=cursor_at(found.after),
        users=list(found.users),
    )


@router.post("/bulk", summary="Forget, bring back, pin, tag, accept or reject many memories")
async def change_many(engine: WithEngine, partition: WritePartition, asked: BulkIn) -> BulkOut:
    done = await Bulk(engine.ledger, engine.memories, engine.redactor, partition)(asked)
    return BulkOut(done=list(done.done), skipped=list(done.skipped))


@router.get("/history/{memory_id}", summary="Where a memory came from, what it replaced, and when it was given")
async def read_history(engine: WithEngine, partition: ReadPartition, memory_id: str) -> HistoryOut:
    found = await history_of(engine.ledger, engine.memories, partition, memory_id)
    successor = found.replaced_by
    return HistoryOut(
        memory=MemoryOut.shown(found.memory, engine.redactor),
        replaced=[MemoryOut.shown(memory, engine.redactor) for memory in found.replaced],
        replaced_by=None if successor is None else MemoryOut.shown(successor, engine.redactor),
        given=[GivingOut.model_validate(one, from_attributes=True) for one in found.given],
    )
