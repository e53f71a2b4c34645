"""The trace of a request: what memory did and why, without any message or memory text."""

from __future__ import annotations

from datetime import UTC, datetime

from litellm_memory.identity import Binding, partition_of
from litellm_memory.ledger import Trace
from litellm_memory.models import Scope
from litellm_memory.request.outcome import Injection
from litellm_memory.request.reading import Excluded, Reading
from litellm_memory.request.request import Request


def trace_of(reading: Reading, injection: Injection) -> Trace:
    """The trace of a request that memory took part in."""
    request, scope, notes = reading.request, reading.scope, reading.notes
    query = notes.query
    return Trace(
        id=request.id,
        at=notes.at,
        partition=scope.partition,
        user=scope.user,
        namespace=scope.namespace,
        status=injection.status,
        reason=injection.reason,
        kind=reading.kind,
        kind_reason=reading.reason,
        project=scope.project,
        session=scope.session,
        client=scope.client,
        model=request.model,
        route=request.path,
        unreadable=reading.options.unreadable,
        count=injection.count,
        tokens=injection.tokens,
        carried=injection.carried,
        limit=query.limit if query else None,
        budget=query.tokens if query else None,
        min_score=query.min_score if query else None,
        candidates=notes.candidates,
        stages=notes.stages,
        standing=reading.standing.told,
        shared=reading.shared.partition if reading.shared else None,
        cut=notes.cut,
        refused=notes.refused,
        # A dry run freezes nothing that could be looked up.
        blocks=() if request.dry else injection.blocks,
    )


def trace_excluded(request: Request, excluded: Excluded, partition_by: Binding) -> Trace | None:
    """The trace of a request that memory stayed out of; None without a partition. An unknown user is left empty.

    ``partition_by``: the setting ``identity.partition``.
    """
    partition = partition_of(request.caller, partition_by)
    if partition is None:
        return None
    scope = excluded.scope or Scope(partition, "")
    return Trace(
        request.id,
        datetime.now(UTC),
        scope.partition,
        scope.user,
        scope.namespace,
        excluded.status,
        excluded.reason,
        model=request.model,
        route=request.path,
    )
