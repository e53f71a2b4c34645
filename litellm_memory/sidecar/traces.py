"""Traces over HTTP: what memory did to the requests of a partition, and why."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query

from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError
from litellm_memory.ledger import Trace
from litellm_memory.models import Caller, Memory
from litellm_memory.sidecar.access import PartitionParameter, partition_for
from litellm_memory.sidecar.paging import Cursor, Limit
from litellm_memory.sidecar.shapes import AskedOut, CandidateOut, LearnedOut, Name, TraceOut, TraceRow, TracesOut
from litellm_memory.sidecar.why import of_candidate, of_memory, of_request


def traces_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """The routes below ``/v1/traces``."""
    router = APIRouter(prefix="/v1/traces", tags=["preview and traces"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.get("", summary="What was done to requests, newest first")
    async def list_traces(
        caller: Verified,
        user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        partition: PartitionParameter = None,
    ) -> TracesOut:
        acting = partition_for(caller, engine.settings, partition)
        if cursor is not None and await engine.ledger.traces.get(acting, cursor) is None:
            raise HTTPException(400, "This cursor is not one of this list: ask for its first page again.")
        found = await engine.ledger.traces.newest(acting, user=user, limit=limit + 1, before=cursor)
        page = found[:limit]
        return TracesOut(
            data=[TraceRow(**_fields(trace, TraceRow)) for trace in page],
            next_cursor=page[-1].id if len(found) > limit else None,
        )

    @router.get("/{trace_id}", summary="What was done to one request, and why; the id is in x-memory-trace")
    async def read_trace(
        caller: Verified,
        trace_id: str,
        memory: Annotated[Name | None, Query(description="Also tell why this memory was recalled, or was not.")] = None,
        partition: PartitionParameter = None,
    ) -> TraceOut:
        trace = await engine.ledger.traces.get(partition_for(caller, engine.settings, partition), trace_id)
        if trace is None:
            raise NotFoundError(UNKNOWN)
        return await told(engine, trace, asked=memory)

    return router


UNKNOWN = "There is no trace with this id: it is another key's, is older than `traces.keep_days`, or never was."


async def told(engine: Engine, trace: Trace, *, asked: str | None = None) -> TraceOut:
    """A trace with the texts that its memories have now; what was forgotten since has none.

    ``asked``: the memory of which it is told why it was recalled, or was not.
    """
    ids = [asked] if asked else []
    ids += [candidate.memory for candidate in trace.candidates]
    ids += [learned.memory for learned in trace.learned if learned.memory is not None]
    entries = await engine.memories.store.get(trace.partition, ids)
    known = {
        entry.memory.id: engine.redactor.memory(entry.memory) for entry in entries if entry.memory.user == trace.user
    }
    candidates = [
        CandidateOut(
            **asdict(candidate),
            **_of(known.get(candidate.memory)),
            because=of_candidate(candidate, known.get(candidate.memory), trace),
        )
        for candidate in trace.candidates
    ]
    learned = [LearnedOut(**asdict(one), text=_of(known.get(one.memory or ""))["text"]) for one in trace.learned]
    return TraceOut(
        **_fields(trace, TraceRow),
        **{name: getattr(trace, name) for name in TOLD_AS_KEPT},
        why=of_request(trace),
        asked=AskedOut(memory=asked, because=of_memory(asked, known.get(asked), trace)) if asked else None,
        candidates=candidates,
        learned=learned,
    )


TOLD_AS_KEPT = ("unreadable", "carried", "limit", "budget", "min_score", "stages")


def _of(memory: Memory | None) -> dict[str, Any]:
    if memory is None:
        return {"text": None, "kind": None}
    return {"text": memory.text, "kind": memory.kind}


def _fields(trace: Trace, shape: type[TraceRow]) -> dict[str, Any]:
    return {name: getattr(trace, name) for name in shape.model_fields}
