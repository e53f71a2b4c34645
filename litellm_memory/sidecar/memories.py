"""Memories over HTTP: list, add, search, read, correct, forget. Every route acts in the caller's partition."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from litellm_memory.engine import Engine
from litellm_memory.models import Caller, Memory, Origin, Scope, namespace
from litellm_memory.recall import Query as Search
from litellm_memory.sidecar.access import PartitionParameter, partition_for, partition_to_write
from litellm_memory.sidecar.paging import Cursor, Limit, page_after
from litellm_memory.sidecar.shapes import (
    MemoriesOut,
    MemoryIn,
    MemoryOut,
    MemoryPatch,
    Name,
    SearchIn,
    SearchOut,
    aware,
    found,
    shape_of,
)
from litellm_memory.store import memory_id

API = Origin("api")


def memories_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """The routes below ``/v1/memories``."""
    router = APIRouter(prefix="/v1/memories", tags=["memories"])
    Verified = Annotated[Caller, Depends(verified)]

    shown = partial(shown_by, engine)

    @router.get("", summary="List memories, newest first")
    async def list_memories(
        caller: Verified,
        user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        partition: PartitionParameter = None,
    ) -> MemoriesOut:
        memories = await engine.memories.all(partition_for(caller, engine.settings, partition), user)
        page, next_cursor = page_after(memories, cursor, limit, mark=lambda memory: memory.id)
        return MemoriesOut(data=[shape_of(shown(memory)) for memory in page], next_cursor=next_cursor)

    @router.post("", status_code=201, summary="Add a memory")
    async def add_memory(caller: Verified, memory: MemoryIn, partition: PartitionParameter = None) -> MemoryOut:
        [kept] = await engine.memories.keep(
            [memory_of(engine, memory, await partition_to_write(caller, engine, partition))]
        )
        return shape_of(shown(kept))

    @router.post("/search", summary="Search memories, best first")
    async def search_memories(caller: Verified, search: SearchIn, partition: PartitionParameter = None) -> SearchOut:
        recollection = await engine.recall(
            search_of(engine, search, partition_for(caller, engine.settings, partition)), now=datetime.now(UTC)
        )
        return SearchOut(results=[found(replace(item, memory=shown(item.memory))) for item in recollection.recalled])

    @router.get("/{memory_id}", summary="Read a memory")
    async def read_memory(caller: Verified, memory_id: str, partition: PartitionParameter = None) -> MemoryOut:
        return shape_of(shown(await engine.memories.get(partition_for(caller, engine.settings, partition), memory_id)))

    @router.patch("/{memory_id}", summary="Correct a memory; what is left out stays")
    async def correct_memory(
        caller: Verified, memory_id: str, patch: MemoryPatch, partition: PartitionParameter = None
    ) -> MemoryOut:
        acting = await partition_to_write(caller, engine, partition)
        return shape_of(shown(await engine.memories.correct(acting, memory_id, partial(corrected, engine, patch))))

    @router.delete("/{memory_id}", status_code=204, response_class=Response, summary="Forget a memory")
    async def forget_memory(caller: Verified, memory_id: str, partition: PartitionParameter = None) -> None:
        await engine.memories.forget(await partition_to_write(caller, engine, partition), memory_id)

    return router


def shown_by(engine: Engine, memory: Memory) -> Memory:
    """The memory as it may be shown."""
    # What is kept may be older than the rule that knows a secret.
    return engine.redactor.memory(memory)


def memory_of(engine: Engine, given: MemoryIn, partition: str, origin: Origin = API) -> Memory:
    """A new memory, redacted, of what was given."""
    user = given.user or engine.settings.identity.default_user_id
    created = aware(given.created) if given.created else datetime.now(UTC)
    memory = Memory(
        id=memory_id(namespace(partition, user), secrets.token_hex(16), key=engine.ledger.key),
        partition=partition,
        user=user,
        text=given.text,
        kind=given.kind,
        created=created,
        valid_from=created,
        project=given.project,
        session=given.session,
        tags=tuple(given.tags),
        origin=origin,
        pinned=given.pinned,
    )
    return engine.redactor.memory(memory)


def corrected(engine: Engine, patch: MemoryPatch, memory: Memory) -> Memory:
    """The memory with what the patch names in place of what was there, redacted."""
    changes = {name: getattr(patch, name) for name in patch.model_fields_set}
    if "tags" in changes:
        changes["tags"] = tuple(changes["tags"])
    for name in ("valid_from", "valid_until"):
        if changes.get(name) is not None:
            changes[name] = aware(changes[name])
    return engine.redactor.memory(replace(memory, **changes))


def search_of(engine: Engine, given: SearchIn, partition: str) -> Search:
    """What recall is asked for a search: whatever comes near at all, without the standing wishes."""
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
