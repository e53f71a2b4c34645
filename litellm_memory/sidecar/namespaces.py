"""Namespaces over HTTP: who has memories in a partition, what each of them has, and erasing it."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError
from litellm_memory.models import Caller, Memory
from litellm_memory.sidecar.access import PartitionParameter, partition_for, partition_to_write
from litellm_memory.sidecar.jobs import JobOut, begun
from litellm_memory.sidecar.paging import Cursor, Limit, page_after
from litellm_memory.sidecar.shapes import MemoriesOut, Name, NamespaceOut, NamespacesOut, shape_of


def namespaces_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """The routes below ``/v1/namespaces``."""
    router = APIRouter(prefix="/v1/namespaces", tags=["namespaces"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.get("", summary="List the users who have memories, by name")
    async def list_namespaces(
        caller: Verified, limit: Limit = 100, cursor: Cursor = None, partition: PartitionParameter = None
    ) -> NamespacesOut:
        acting = partition_for(caller, engine.settings, partition)
        found = await _summaries(engine, acting, None)
        page, next_cursor = page_after(sorted(found), cursor, limit, mark=str)
        return NamespacesOut(data=[found[user].shape(acting, user) for user in page], next_cursor=next_cursor)

    @router.get("/{user}", summary="How much a user has, and in which projects")
    async def read_namespace(caller: Verified, user: Name, partition: PartitionParameter = None) -> NamespaceOut:
        acting = partition_for(caller, engine.settings, partition)
        found = await _summaries(engine, acting, user)
        if user not in found:
            raise NotFoundError("This user has no memories.")
        return found[user].shape(acting, user)

    @router.delete("", status_code=202, summary="Erase all users of the partition from every file; answers with a job")
    async def erase_partition(caller: Verified, partition: PartitionParameter = None) -> JobOut:
        acting = await partition_to_write(caller, engine, partition)
        return begun(engine, await engine.erasure.ask(acting))

    @router.delete("/{user:path}", status_code=202, summary="Erase a user from every file; answers with a job")
    async def erase_user(
        caller: Verified,
        user: Name,
        session: Annotated[Name | None, Query(description="One session; all of them when left out.")] = None,
        partition: PartitionParameter = None,
    ) -> JobOut:
        acting = await partition_to_write(caller, engine, partition)
        return begun(engine, await engine.erasure.ask(acting, user, session))

    @router.get("/{user}/memories", summary="List a user's memories, newest first")
    async def list_memories_of(
        caller: Verified,
        user: Name,
        limit: Limit = 100,
        cursor: Cursor = None,
        project: Annotated[Name | None, Query(description="One project; all of them when left out.")] = None,
        partition: PartitionParameter = None,
    ) -> MemoriesOut:
        memories = await engine.memories.all(partition_for(caller, engine.settings, partition), user)
        asked = [memory for memory in memories if project is None or memory.project == project]
        page, next_cursor = page_after(asked, cursor, limit, mark=lambda memory: memory.id)
        shown = map(engine.redactor.memory, page)
        return MemoriesOut(data=[shape_of(memory) for memory in shown], next_cursor=next_cursor)

    return router


@dataclass(slots=True)
class _Summary:
    """What was counted of one user so far."""

    memories: int = 0
    projects: set[str] = field(default_factory=set)
    last_used: datetime | None = None

    def add(self, memory: Memory) -> None:
        self.memories += 1
        if memory.project is not None:
            self.projects.add(memory.project)
        self.last_used = max(filter(None, (self.last_used, memory.last_used)), default=None)

    def shape(self, partition: str, user: str) -> NamespaceOut:
        return NamespaceOut(
            partition=partition,
            user=user,
            memories=self.memories,
            projects=sorted(self.projects),
            last_used=self.last_used,
        )


async def _summaries(engine: Engine, partition: str, user: str | None) -> dict[str, _Summary]:
    found: dict[str, _Summary] = {}
    async for page in engine.memories.pages(partition, user):
        for memory in page:
            found.setdefault(memory.user, _Summary()).add(memory)
    return found
