"""This host's metrics in Prometheus' text format, and the tasks that update them in every worker."""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import suppress

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from litellm_memory.care.junk import junk_share
from litellm_memory.engine import Engine
from litellm_memory.errors import LedgerError, LiteLLMMemoryError
from litellm_memory.gate.access import ServedHere, Verified
from litellm_memory.metrics import AWAY, JOURNAL, JUNK, MEDIA_TYPE, READY, Shared

logger = logging.getLogger(__name__)

SHARE_SECONDS = 5.0
"""Interval at which workers share their counters; collecting them costs about 10 ms of CPU time."""
AUDIT_EVERY = 720
"""Rounds between two audits: once per hour."""
AUDIT_FIRST = 12
"""Rounds before the first audit: a minute after the start."""
MAY_BE_AWAY = ("ledger", "store", "search", "callbacks")


router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Figures of all workers of this host, as Prometheus reads them",
    response_class=PlainTextResponse,
)
async def metrics(served: ServedHere, _: Verified) -> Response:
    # Any key that LiteLLM knows may read these: they name no user, no key and no partition.
    await _look(served.engine)
    return Response(await served.shared.exposition(), media_type=MEDIA_TYPE)


async def keep_figures(engine: Engine, shared: Shared) -> None:
    """Counts what was noted and shares it with the other workers, until cancelled. Failures are retried."""
    JUNK.set(float("nan"))
    for round_ in itertools.count():
        try:
            await _look(engine)
            await shared.flush()
            if round_ % AUDIT_EVERY == AUDIT_FIRST and engine.health.opened:
                partitions = await engine.ledger.partitions.all()
                JUNK.set(await junk_share(engine.memories, partitions, redactor=engine.redactor.always))
        except LiteLLMMemoryError as error:
            logger.debug("Figures wait: %s", error)
        await asyncio.sleep(SHARE_SECONDS)


async def _look(engine: Engine) -> None:
    READY.set(engine.health.ready)
    problems = engine.health.problems()
    for part in MAY_BE_AWAY:
        AWAY.labels(part).set(part in problems)
    with suppress(LedgerError):
        JOURNAL.set(await engine.ledger.journal.unlearned())
