"""The figures of this host in Prometheus' text format, and what keeps them fresh in every worker."""

from __future__ import annotations

import asyncio
import itertools
import logging

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from litellm_memory.care.junk import junk_share
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.metrics import JOURNAL, JUNK, MEDIA_TYPE, READY, Shared
from litellm_memory.sidecar.access import ServedHere, Verified

logger = logging.getLogger(__name__)

TELL_SECONDS = 5.0
"""How old the figures of other workers may be; collecting them costs some 10 ms of processor time."""
AUDIT_EVERY = 720
AUDIT_FIRST = 12
"""Rounds of telling between two looks at what is kept, and before the first one."""


router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Figures of all workers of this host, as Prometheus reads them",
    response_class=PlainTextResponse,
)
async def metrics(served: ServedHere, _: Verified) -> Response:
    # For every key that LiteLLM knows: the figures name no user, no key and no partition.
    await _look(served.engine)
    return Response(await served.shared.exposition(), media_type=MEDIA_TYPE)


async def keep_figures(engine: Engine, shared: Shared) -> None:
    """Counts what was noted and tells the other workers, until cancelled. What the ledger refuses is told later."""
    JUNK.set(float("nan"))
    for round_ in itertools.count():
        try:
            await shared.tell()
            await _look(engine)
            if round_ % AUDIT_EVERY == AUDIT_FIRST and engine.health.opened:
                partitions = await engine.ledger.partitions.all()
                JUNK.set(await junk_share(engine.memories, partitions, redactor=engine.redactor.always))
        except LiteLLMMemoryError as error:
            logger.debug("Figures wait: %s", error)
        await asyncio.sleep(TELL_SECONDS)


async def _look(engine: Engine) -> None:
    READY.set(engine.health.ready)
    JOURNAL.set(await engine.ledger.journal.unlearned())
