"""The figures of this host in Prometheus' text format, and what keeps them fresh in every worker."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse

from litellm_memory.care.audit import audit
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.metrics import JOURNAL, JUNK, MEDIA_TYPE, READY, Shared
from litellm_memory.models import Caller, Memory

logger = logging.getLogger(__name__)

TELL_SECONDS = 5.0
"""How old the figures of other workers may be; collecting them costs some 10 ms of processor time."""
AUDIT_EVERY = 720
AUDIT_FIRST = 12
"""Rounds of telling between two looks at what is kept, and before the first one."""
SAMPLE = 300
"""Memories of one look: the audit compares each with all older ones of its user."""


def metrics_router(engine: Engine, verified: Callable[..., Awaitable[Caller]], shared: Shared) -> APIRouter:
    """``/metrics``, for every key that LiteLLM knows: the figures name no user, no key and no partition."""
    router = APIRouter(tags=["health"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.get(
        "/metrics",
        summary="Figures of all workers of this host, as Prometheus reads them",
        response_class=PlainTextResponse,
    )
    async def metrics(caller: Verified) -> Response:
        await _look(engine)
        return Response(await shared.exposition(), media_type=MEDIA_TYPE)

    return router


async def keep_figures(engine: Engine, shared: Shared) -> None:
    """Counts what was noted and tells the other workers, until cancelled. What the ledger refuses is told later."""
    JUNK.set(float("nan"))
    for round_ in itertools.count():
        try:
            await shared.tell()
            await _look(engine)
            if round_ % AUDIT_EVERY == AUDIT_FIRST and engine.health.opened:
                JUNK.set(await _junk_share(engine))
        except LiteLLMMemoryError as error:
            logger.debug("Figures wait: %s", error)
        await asyncio.sleep(TELL_SECONDS)


async def _look(engine: Engine) -> None:
    READY.set(engine.health.ready)
    JOURNAL.set(await engine.ledger.journal.unlearned())


async def _junk_share(engine: Engine) -> float:
    """The share of a sample of what is kept that the audit calls junk, over all partitions."""
    users: defaultdict[str, list[Memory]] = defaultdict(list)
    for memory in await _sample(engine):
        users[memory.namespace].append(memory)
    now = datetime.now(UTC)
    audits = [
        await asyncio.to_thread(audit, memories, now=now, redactor=engine.redactor.always)
        for memories in users.values()
    ]
    looked_at = sum(one.memories for one in audits)
    return sum(one.junk_rate * one.memories for one in audits) / looked_at if looked_at else 0.0


async def _sample(engine: Engine) -> list[Memory]:
    found: list[Memory] = []
    for partition in sorted(await engine.ledger.partitions.all()):
        async for page in engine.memories.pages(partition):
            found += page[: SAMPLE - len(found)]
            if len(found) == SAMPLE:
                return found
    return found
