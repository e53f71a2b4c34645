"""The queue of review over HTTP: what waits, why, and its owner's word on it."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from litellm_memory.care.review import accept, reject, waiting
from litellm_memory.engine import Engine
from litellm_memory.models import Caller
from litellm_memory.sidecar.access import PartitionParameter, partition_for, partition_to_write
from litellm_memory.sidecar.paging import Cursor, Limit, page_after
from litellm_memory.sidecar.shapes import MemoryOut, Name, ReviewIn, ReviewsOut, shape_of, waiting_shape_of


def review_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """The routes below ``/v1/review``."""
    router = APIRouter(prefix="/v1/review", tags=["review"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.get("", summary="What waits for its owner's word, newest first, and why")
    async def list_waiting(
        caller: Verified,
        user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        partition: PartitionParameter = None,
    ) -> ReviewsOut:
        found = await waiting(engine.memories, partition_for(caller, engine.settings, partition), user)
        page, next_cursor = page_after(found, cursor, limit, mark=lambda memory: memory.id)
        return ReviewsOut(
            data=[waiting_shape_of(engine.redactor.memory(memory)) for memory in page], next_cursor=next_cursor
        )

    @router.post(
        "/{memory_id}",
        response_model=MemoryOut,
        responses={204: {"description": "It was rejected, and is forgotten."}},
        summary="Accept, edit or reject what waits",
    )
    async def decide(
        caller: Verified, memory_id: str, word: ReviewIn, partition: PartitionParameter = None
    ) -> MemoryOut | Response:
        acting = await partition_to_write(caller, engine, partition)
        if word.action == "reject":
            await reject(engine.memories, acting, memory_id)
            return Response(status_code=204)
        text = engine.redactor.text(word.text) if word.text else None
        return shape_of(engine.redactor.memory(await accept(engine.memories, acting, memory_id, text=text)))

    return router
