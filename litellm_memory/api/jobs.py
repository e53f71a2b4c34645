"""Erasure jobs over HTTP: their progress, and a job that scrubs earlier deletions from all files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from fastapi import APIRouter

from litellm_memory.care.erasure import operator_steps
from litellm_memory.care.given import Shape
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.files.address import without_paths
from litellm_memory.gate.access import ReadPartition, WithEngine, WritePartition
from litellm_memory.ledger import Job

logger = logging.getLogger(__name__)


class JobOut(Shape):
    """An erasure. ``done``: no file of this host holds text or vector any more."""

    id: str
    partition: str
    progress: Literal["forgetting", "scrubbing", "done"]
    requested: datetime
    finished: datetime | None
    forgotten: int
    erased: Mapping[str, int]
    """The receipt: rows that were erased so far, by what they held."""
    problem: str | None
    remaining_steps: list[str]


class JobsOut(Shape):
    """The latest erasures of a partition, newest first."""

    data: list[JobOut]


MOST_SHOWN: Final = 50
FOUND_NOTHING: Final = (
    "Nothing was found to erase: if somebody should have been, see `GET /v1/namespaces` for how they are called."
)

router = APIRouter(prefix="/v1/jobs", tags=["erasing"])


@router.post("", status_code=202, summary="Take what was forgotten before out of all files now")
async def scrub(engine: WithEngine, partition: WritePartition) -> JobOut:
    return begun(engine, await engine.erasure.ask_to_scrub(partition))


@router.get("", summary="The latest erasures of the partition, and how far each is")
async def list_jobs(engine: WithEngine, partition: ReadPartition) -> JobsOut:
    found = await engine.ledger.erasures.newest(partition, limit=MOST_SHOWN)
    receipts = engine.ledger.people.receipts
    return JobsOut(data=[shape(engine, job, await receipts.of(job.id)) for job in found])


@router.get("/{job_id}", summary="How far an erasure is, and what its operator has to do besides")
async def read_job(engine: WithEngine, partition: ReadPartition, job_id: str) -> JobOut:
    job = await engine.ledger.erasures.get(partition, job_id)
    if job is None:
        raise NotFoundError("There is no job with this id.")
    return shape(engine, job, await engine.ledger.people.receipts.of(job.id))


def begun(engine: Engine, job: Job) -> JobOut:
    """The job as JSON, with its work started in the background."""
    engine.spawn(_work(engine))
    return shape(engine, job, {})


async def _work(engine: Engine) -> None:
    try:
        await engine.erasure.work()
    except LiteLLMMemoryError as error:
        # The job records the reason and is retried.
        logger.debug("An erasure waits: %s", error)


def shape(engine: Engine, job: Job, erased: Mapping[str, int]) -> JobOut:
    """A job as JSON, with its receipt; one that found nothing says so, because a name may be another than was meant."""
    found_nothing = job.progress == "done" and not job.forgotten and not any(erased.values())
    return JobOut(
        id=job.id,
        partition=job.partition,
        progress=job.progress,
        requested=job.requested,
        finished=job.finished,
        forgotten=job.forgotten,
        erased={"memories": job.forgotten, **erased},
        problem=job.problem and without_paths(job.problem, engine.settings.data_dir),
        remaining_steps=[*([FOUND_NOTHING] if found_nothing else []), *operator_steps(engine.settings)],
    )
