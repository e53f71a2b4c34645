"""Namespaces over HTTP: the users with memories in a partition, what each has, and erasing a user."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from litellm_memory.api.jobs import JobOut, begun
from litellm_memory.api.paging import Cursor, Limit, cursor_at, page_after, position_at
from litellm_memory.api.shapes import MemoriesOut
from litellm_memory.care.given import Name, Shape
from litellm_memory.care.shown import MemoryOut
from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError
from litellm_memory.gate.access import ReadPartition, WithEngine, WritePartition
from litellm_memory.gate.apart import answer_with
from litellm_memory.identity.projects import safe_project
from litellm_memory.ledger import ListFilter
from litellm_memory.models import Memory, namespace


class NamespaceOut(Shape):
    """What one user has."""

    partition: str
    user: str
    memories: int
    projects: list[str]
    last_used: datetime | None


class NamespacesOut(Shape):
    """One page of users."""

    data: list[NamespaceOut]
    next_cursor: str | None


router = APIRouter(prefix="/v1/namespaces", tags=["namespaces"])


@router.get("", summary="List the users who have memories, by name")
async def list_namespaces(
    engine: WithEngine, partition: ReadPartition, limit: Limit = 100, cursor: Cursor = None
) -> NamespacesOut:
    found = await _summaries(engine, partition, None)
    page, next_cursor = page_after(sorted(found), cursor, limit, mark=str)
    return NamespacesOut(data=[found[user].shape(partition, user) for user in page], next_cursor=next_cursor)


@router.get("/{user}", summary="How much a user has, and in which projects")
async def read_namespace(engine: WithEngine, partition: ReadPartition, user: Name) -> NamespaceOut:
    found = await _summaries(engine, partition, user)
    if user not in found:
        raise NotFoundError("This user has no memories.")
    return found[user].shape(partition, user)


@router.delete("", status_code=202, summary="Erase all users of the partition from every file; answers with a job")
async def erase_partition(engine: WithEngine, partition: WritePartition) -> JobOut:
    return begun(engine, await engine.erasure.ask(partition))


@router.delete("/{user:path}", status_code=202, summary="Erase a user from every file; answers with a job")
async def erase_user(
    engine: WithEngine,
    partition: WritePartition,
    user: Name,
    session: Annotated[Name | None, Query(description="One session; all of them when left out.")] = None,
) -> JobOut:
    return begun(engine, await engine.erasure.ask(partition, user, session))


@router.get("/{user}/memories", summary="List a user's memories, newest first", response_model=MemoriesOut)
async def list_memories_of(
    engine: WithEngine,
    partition: ReadPartition,
    user: Name,
    limit: Limit = 100,
    cursor: Cursor = None,
    project: Annotated[Name | None, Query(description="One project; all of them when left out.")] = None,
) -> Response:
    asked = ListFilter(namespace=namespace(partition, user), project=project and safe_project(project))
    page, following = await engine.memories.lists.page(partition, asked, after=position_at(cursor), limit=limit)
    shape = partial(MemoryOut.shown, redactor=engine.redactor)
    return await answer_with("data", page, shape, next_cursor=cursor_at(following))


@dataclass(slots=True)
class _Summary:
    """The counts of one user so far."""

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
