"""Routes of the HTTP API that tell how memory fares: an audit, what waits, sizes, times by day, and who a client is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from litellm_memory.api.routing import routed
from litellm_memory.api.shapes import shown_as
from litellm_memory.care.audit import Problem, audit
from litellm_memory.care.fares import newest_by_user, stored, times_by_day, waiting
from litellm_memory.care.given import Moment, Name, Shape
from litellm_memory.gate.access import ReadPartition, Verified, WithEngine
from litellm_memory.gate.apart import apart


class FlawOut(Shape):
    """What is wrong with a memory, its text with secrets replaced, and what to do."""

    memory: str
    user: str
    text: str
    problem: Problem
    fix: str


class AuditOut(Shape):
    """What is wrong with the newest thousand memories in force; ``junk_rate`` is a share from 0 to 1.

    Memories that are not used are reported and are not junk.
    """

    memories: int
    junk_rate: float
    flaws: list[FlawOut]


class WaitingOut(Shape):
    """Exchanges of all partitions that are to be learned, could not be, or wait for a model; ``review``: memories of
    this partition that wait for a person's word."""

    to_learn: int
    failed: int
    for_model: int
    review: int


class StoredOut(Shape):
    """A file or folder of the data directory, and its bytes."""

    name: str
    bytes: int


class StateOut(Shape):
    """How much is kept in the partition, and what waits. ``stored``: for operators, the largest first; else null."""

    memories: int
    waiting: WaitingOut
    stored: list[StoredOut] | None


class DayOut(Shape):
    """A day in UTC: milliseconds that memory took of its requests, and how many memories were forgotten."""

    day: str
    requests: int
    p50: float | None
    p95: float | None
    forgotten: int


class DaysOut(Shape):
    """Days, newest first. The times are those of the newest 2,000 requests whose traces are kept."""

    data: list[DayOut]


class IdentifyIn(Shape):
    """Headers of a request, as a client would send them."""

    model_config = shown_as(headers={"user-agent": "claude-cli/2.0 (external, cli)"})

    headers: Mapping[Name, Annotated[str, Field(max_length=4096)]] = Field(max_length=100)


router = APIRouter(prefix="/v1", tags=["how it fares"])


@router.get("/audit", summary="What is wrong with what is kept: junk, duplicates, secrets, orders; nothing is changed")
async def audit_kept(
    engine: WithEngine,
    partition: ReadPartition,
    user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
) -> AuditOut:
    held = await newest_by_user(engine.memories, partition, user)
    now, redactor = datetime.now(UTC), engine.redactor.always
    found = [await apart(partial(audit, memories, now=now, redactor=redactor)) for memories in held]
    known = {memory.id: memory for memories in held for memory in memories}
    looked_at = sum(one.memories for one in found)
    junk = sum(one.junk_rate * one.memories for one in found)
    flaws = [flaw for one in found for flaw in one.flaws]
    return AuditOut(
        memories=looked_at,
        junk_rate=junk / looked_at if looked_at else 0.0,
        flaws=[
            FlawOut(
                memory=flaw.memory,
                user=known[flaw.memory].user,
                text=redactor.memory(known[flaw.memory]).text,
                problem=flaw.problem,
                fix=flaw.fix,
            )
            for flaw in flaws
        ],
    )


@router.get("/state", summary="How much is kept and what waits; for operators, the sizes of its files")
async def state(engine: WithEngine, caller: Verified, partition: ReadPartition) -> StateOut:
    waits = await waiting(engine.ledger, partition)
    files = await stored(engine.settings.data_dir) if caller.master else None
    return StateOut(
        memories=await engine.ledger.listing.count(partition),
        waiting=WaitingOut.model_validate(waits, from_attributes=True),
        stored=None if files is None else [StoredOut(name=one.name, bytes=one.bytes) for one in files],
    )


@router.get("/times", summary="How long memory took of requests, p50 and p95, and what was forgotten, by day")
async def times(
    engine: WithEngine,
    partition: ReadPartition,
    since: Annotated[Moment | None, Query(description="From this time on.")] = None,
) -> DaysOut:
    days = await times_by_day(engine.ledger, partition, since=since)
    return DaysOut(data=[DayOut.model_validate(day, from_attributes=True) for day in days])


@router.post("/identify", summary="Who a request of this key with these headers would be for, and by which rule")
async def identify(engine: WithEngine, caller: Verified, asked: IdentifyIn) -> Mapping[str, Any]:
    return routed(engine, caller, asked.headers.items())
