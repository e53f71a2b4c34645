"""Rollback over HTTP of what was learned from a request, or since a time."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Response
from pydantic import Field, model_validator

from litellm_memory.api.shapes import shown_as
from litellm_memory.care.given import Moment, Name, Shape
from litellm_memory.care.rollback import forget, learned_from, put_aside
from litellm_memory.care.shown import MemoryOut
from litellm_memory.gate.access import WithAccess, WithEngine
from litellm_memory.gate.apart import answer_with


class RollbackIn(Shape):
    """Which request (its id was in `x-memory-trace`), or since when; and what becomes of what was learned."""

    model_config = shown_as(call="9c1f6d0e5b7a48d2a1e3c4f5b6a7d8e9", action="review", dry_run=True)

    call: Name | None = None
    since: Moment | None = None
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


@router.post(
    "/rollback",
    summary="Forget, or put aside for review, what was learned from a request or since a time",
    response_model=RollbackOut,
)
async def roll_back(
    engine: WithEngine, partition: Annotated[str, Depends(rollback_partition)], asked: RollbackIn
) -> Response:
    if asked.action == "forget" and asked.call is None and asked.since is not None and not asked.dry_run:
        # What was said and waits would be learned a moment later.
        await engine.ledger.caught_up(rotate=True)
        await engine.ledger.people.unsay(partition, asked.since)
    learned = await learned_from(engine.memories, partition, call=asked.call, since=asked.since)
    if asked.action == "forget" and not asked.dry_run:
        await forget(engine.memories, learned)
    elif not asked.dry_run:
        await put_aside(engine.memories, engine.ledger, learned)
    shape = partial(MemoryOut.shown, redactor=engine.redactor)
    return await answer_with("data", learned, shape, action=asked.action, dry_run=asked.dry_run)
