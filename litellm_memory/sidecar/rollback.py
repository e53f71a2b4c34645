"""Rollback over HTTP of what was learned from a request, or since a time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator

from litellm_memory.care.rollback import forget, learned_from, put_aside
from litellm_memory.sidecar.access import WithAccess, WithEngine
from litellm_memory.sidecar.shapes import MemoryOut, Name, Shape, aware, shown_as


class RollbackIn(Shape):
    """Which request (its id was in `x-memory-trace`), or since when; and what becomes of what was learned."""

    model_config = shown_as(call="9c1f6d0e5b7a48d2a1e3c4f5b6a7d8e9", action="review", dry_run=True)

    call: Name | None = None
    since: datetime | None = None
    action: Literal["forget", "review"] = "forget"
    dry_run: bool = Field(False, description="Only tell what it would be.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.call is None and self.since is None:
            raise ValueError("name a call, a time, or both")
        return self


class RollbackOut(Shape):
    """What was taken back, or would be."""

    action: Literal["forget", "review"]
    dry_run: bool
    data: list[MemoryOut]


async def rollback_partition(access: WithAccess, asked: RollbackIn) -> str:
    """The partition to change, or only to read in a dry run."""
    return await access.partition(writes=not asked.dry_run)


router = APIRouter(prefix="/v1", tags=["review"])


@router.post("/rollback", summary="Forget, or put aside for review, what was learned from a request or since a time")
async def roll_back(
    engine: WithEngine, partition: Annotated[str, Depends(rollback_partition)], asked: RollbackIn
) -> RollbackOut:
    since = aware(asked.since) if asked.since else None
    learned = await learned_from(engine.memories, partition, call=asked.call, since=since)
    if asked.action == "forget" and not asked.dry_run:
        await forget(engine.memories, learned)
    elif not asked.dry_run:
        await put_aside(engine.memories, engine.ledger, learned)
    shown = [MemoryOut.shown(memory, engine.redactor) for memory in learned]
    return RollbackOut(action=asked.action, dry_run=asked.dry_run, data=shown)
