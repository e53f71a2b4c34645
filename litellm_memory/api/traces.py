"""Traces over HTTP: what memory did to the requests of a partition, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response

from litellm_memory.api.paging import Cursor, Limit
from litellm_memory.care.blocks import BlockThen, blocks_then
from litellm_memory.care.given import Name, Shape
from litellm_memory.care.why import of_candidate, of_memory, of_request
from litellm_memory.errors import NotFoundError
from litellm_memory.gate.access import Access, ReadPartition, WithAccess, WithEngine
from litellm_memory.gate.apart import answer_with, apart
from litellm_memory.ledger import Trace
from litellm_memory.ledger.traces import TracedMemory
from litellm_memory.models import Memory, MemoryKind

UNKNOWN = "There is no trace with this id: it is another key's, is older than `traces.keep_days`, or never was."


class CandidateOut(Shape):
    """A memory that was looked at. ``text`` is null when it is gone; ``left_out`` is null when it was recalled.

    ``stood``: its lines in the block, where its text was corrected since. ``superseded_by``: what took its place.
    """

    memory: str
    because: str
    text: str | None
    kind: MemoryKind | None
    stood: str | None
    superseded_by: str | None
    score: float
    why: Mapping[str, float]
    left_out: str | None


class LearnedOut(Shape):
    """What became of something that the exchange held. ``text`` is null when there is no memory, or it is gone."""

    what: str
    reason: str
    memory: str | None
    kind: MemoryKind | None
    text: str | None


class TraceRow(Shape):
    """What memory did to one request."""

    id: str
    at: datetime
    partition: str
    user: str
    project: str | None
    session: str | None
    client: str | None
    model: str | None
    route: str | None
    kind: str | None
    kind_reason: str | None
    status: str
    reason: str
    count: int
    tokens: int


class AskedOut(Shape):
    """Why the memory that was asked for was recalled, or was not."""

    memory: str
    because: str


class BlockOut(Shape):
    """A block as it stood in the prompt, redacted; ``text`` is null when nothing of it may be shown.

    ``count``: its memories then. ``first_given``: no earlier request had it. ``note``: what is not shown, and why.
    """

    text: str | None
    count: int
    first_given: bool
    note: str | None


class TraceOut(TraceRow):
    """All of a trace. ``stages`` are milliseconds; ``carried`` are the memories that the conversation carries.

    ``shared`` is the partition of what the team shared with the request; ``cut`` are the shared memories that were cut
    from earlier blocks; ``refused`` are those of earlier blocks that a guardrail did not let through.
    ``why`` says in sentences what was done to the request, and ``blocks`` are the newest hundred blocks of its prompt,
    oldest first.
    """

    why: list[str]
    asked: AskedOut | None
    unreadable: list[str]
    carried: list[str]
    shared: str | None
    cut: list[str]
    refused: list[str]
    limit: int | None
    budget: int | None
    min_score: float | None
    candidates: list[CandidateOut]
    stages: Mapping[str, float]
    learned: list[LearnedOut]
    blocks: list[BlockOut]


class TracesOut(Shape):
    """One page of traces."""

    data: list[TraceRow]
    next_cursor: str | None


router = APIRouter(prefix="/v1/traces", tags=["preview and traces"])


@router.get("", summary="What was done to requests, newest first", response_model=TracesOut)
async def list_traces(
    engine: WithEngine,
    partition: ReadPartition,
    user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    if cursor is not None and await engine.ledger.traces.get(partition, cursor) is None:
        raise HTTPException(400, "This cursor is not one of this list: ask for its first page again.")
    found = await engine.ledger.traces.newest(partition, user=user, limit=limit + 1, before=cursor)
    page = found[:limit]
    return await answer_with("data", page, _row, next_cursor=page[-1].id if len(found) > limit else None)


@router.get("/{trace_id}", summary="What was done to one request, and why; the id is in x-memory-trace")
async def read_trace(
    access: WithAccess,
    partition: ReadPartition,
    trace_id: str,
    memory: Annotated[Name | None, Query(description="Also tell why this memory was recalled, or was not.")] = None,
) -> TraceOut:
    trace = await access.engine.ledger.traces.get(partition, trace_id)
    if trace is None:
        raise NotFoundError(UNKNOWN)
    return await trace_out(access, trace, asked=memory)


async def trace_out(access: Access, trace: Trace, *, asked: str | None = None) -> TraceOut:
    """A trace with the current texts of its memories; forgotten ones have none, nor has what is shared no more.

    ``asked``: the memory of which it is explained why it was recalled, or was not.
    """
    engine = access.engine
    ids = [asked] if asked else []
    ids += [candidate.memory for candidate in trace.candidates]
    ids += [learned.memory for learned in trace.learned if learned.memory is not None]
    known = {memory.id: engine.redactor.memory(memory) for memory in await _readable(access, trace, ids)}
    blocks = await _blocks(access, trace)
    candidates = [_candidate(one, known.get(one.memory), trace, blocks) for one in trace.candidates]
    learned = [LearnedOut(**asdict(one), text=_of(known.get(one.memory or ""))["text"]) for one in trace.learned]
    return TraceOut(
        **_row(trace).model_dump(),
        unreadable=list(trace.unreadable),
        carried=list(trace.carried),
        shared=trace.shared,
        cut=list(trace.cut),
        refused=list(trace.refused),
        limit=trace.limit,
        budget=trace.budget,
        min_score=trace.min_score,
        stages=trace.stages,
        why=of_request(trace),
        asked=AskedOut(memory=asked, because=of_memory(asked, known.get(asked), trace)) if asked else None,
        candidates=candidates,
        learned=learned,
        blocks=[BlockOut(text=one.text, count=one.count, first_given=one.first_given, note=one.note) for one in blocks],
    )


async def _readable(access: Access, trace: Trace, ids: Sequence[str]) -> list[Memory]:
    """Those of these memories that the trace's user may read today: their own, and what is shared with them."""
    memories = access.engine.memories
    own = [one for one in await memories.entries(trace.partition, ids) if one.user == trace.user]
    shared = trace.shared if trace.shared and access.may_read(trace.shared, trace.partition, trace.user) else None
    return [*own, *(await memories.entries(shared, ids) if shared else ())]


async def _blocks(access: Access, trace: Trace) -> list[BlockThen]:
    """The blocks of a trace, redacted, because they may be older than a rule."""

    async def still(ids: Sequence[str]) -> set[str]:
        return {memory.id for memory in await _readable(access, trace, ids)}

    then = await blocks_then(access.engine.ledger, trace, still)
    redacted = access.engine.redactor.text

    def clean(one: BlockThen) -> BlockThen:
        given = {memory: redacted(text) for memory, text in one.given.items()}
        return replace(one, text=one.text and redacted(one.text), given=given)

    return await apart(lambda: [clean(one) for one in then])


def _candidate(one: TracedMemory, memory: Memory | None, trace: Trace, blocks: Sequence[BlockThen]) -> CandidateOut:
    """``memory``: as it may be shown today."""
    stood = [block.stood(memory) for block in blocks] if memory is not None else []
    return CandidateOut(
        **asdict(one),
        **_of(memory),
        because=of_candidate(one, memory, trace),
        stood=next(filter(None, stood), None),
        superseded_by=memory.superseded_by.id if memory and memory.superseded_by else None,
    )


def _of(memory: Memory | None) -> dict[str, Any]:
    if memory is None:
        return {"text": None, "kind": None}
    return {"text": memory.text, "kind": memory.kind}


def _row(trace: Trace) -> TraceRow:
    return TraceRow.model_validate(trace, from_attributes=True)
