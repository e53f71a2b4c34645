"""Memories over HTTP: list, add, search, read, forget. Every route acts in the caller's partition."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from litellm_memory.engine import Engine
from litellm_memory.models import Caller, Memory, Origin, Scope, namespace
from litellm_memory.recall import Query as Search
from litellm_memory.redact import redact
from litellm_memory.sidecar.access import PartitionParameter, partition_for
from litellm_memory.sidecar.shapes import MemoriesOut, MemoryIn, MemoryOut, Name, SearchIn, SearchOut, found, shape_of
from litellm_memory.store import memory_id


def memories_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """The routes below ``/v1/memories``."""
    router = APIRouter(prefix="/v1/memories", tags=["memories"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.get("", summary="List memories, newest first")
    async def list_memories(
        caller: Verified,
        user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        partition: PartitionParameter = None,
    ) -> MemoriesOut:
        memories = await engine.memories.all(partition_for(caller, engine.settings, partition), user)
        page, next_cursor = _page(memories, cursor, limit)
        return MemoriesOut(data=[shape_of(memory) for memory in page], next_cursor=next_cursor)

    @router.post("", status_code=201, summary="Add a memory")
    async def add_memory(caller: Verified, memory: MemoryIn, partition: PartitionParameter = None) -> MemoryOut:
        [kept] = await engine.memories.keep(
            [_memory(engine, memory, partition_for(caller, engine.settings, partition))]
        )
        return shape_of(kept)

    @router.post("/search", summary="Search memories, best first")
    async def search_memories(caller: Verified, search: SearchIn, partition: PartitionParameter = None) -> SearchOut:
        recalled = await engine.recall(
            _search(engine, search, partition_for(caller, engine.settings, partition)), now=datetime.now(UTC)
        )
        return SearchOut(results=[found(item) for item in recalled])

    @router.get("/{memory_id}", summary="Read a memory")
    async def read_memory(caller: Verified, memory_id: str, partition: PartitionParameter = None) -> MemoryOut:
        return shape_of(await engine.memories.get(partition_for(caller, engine.settings, partition), memory_id))

    @router.delete("/{memory_id}", status_code=204, response_class=Response, summary="Forget a memory")
    async def forget_memory(caller: Verified, memory_id: str, partition: PartitionParameter = None) -> None:
        await engine.memories.forget(partition_for(caller, engine.settings, partition), memory_id)

    return router


def _memory(engine: Engine, given: MemoryIn, partition: str) -> Memory:
    user = given.user or engine.settings.identity.default_user_id
    text = redact(given.text) if engine.settings.learn.redact else given.text
    created = _aware(given.created) if given.created else datetime.now(UTC)
    return Memory(
        id=memory_id(namespace(partition, user), secrets.token_hex(16), key=engine.ledger.key),
        partition=partition,
        user=user,
        text=text,
        kind=given.kind,
        created=created,
        valid_from=created,
        project=given.project,
        session=given.session,
        tags=tuple(given.tags),
        origin=Origin("api"),
        pinned=given.pinned,
    )


def _search(engine: Engine, given: SearchIn, partition: str) -> Search:
    return Search(
        text=given.query,
        scope=Scope(partition, given.user or engine.settings.identity.default_user_id, project=given.project),
        limit=given.limit,
        min_score=0.0,
        kinds=frozenset(given.kinds),
        tags=frozenset(given.tags),
        wishes=False,
        strict_projects=engine.settings.identity.projects == "strict",
    )


def _page(memories: list[Memory], cursor: str | None, limit: int) -> tuple[list[Memory], str | None]:
    """One page after the memory that ``cursor`` names. Raises 400 for a cursor of no memory."""
    start = 0
    if cursor is not None:
        ids = [memory.id for memory in memories]
        if cursor not in ids:
            raise HTTPException(400, "This cursor is not one of this list: ask for its first page again.")
        start = ids.index(cursor) + 1
    page = memories[start : start + limit]
    return page, page[-1].id if len(memories) > start + limit else None


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
