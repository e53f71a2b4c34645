"""Erasures over HTTP: how far a job is, and one that takes what was forgotten before out of all files."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from litellm_memory.care.erasure import operator_steps
from litellm_memory.engine import Engine
from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.ledger import Job
from litellm_memory.models import Caller
from litellm_memory.sidecar.access import PartitionParameter, partition_for, partition_to_write
from litellm_memory.sidecar.shapes import Shape


class JobOut(Shape):
    """An erasure. ``done``: no file of this host holds text or vector any more."""

    id: str
    partition: str
    progress: Literal["forgetting", "scrubbing", "done"]
    requested: datetime
    finished: datetime | None
    forgotten: int
    problem: str | None
    remaining_steps: list[str]


def jobs_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """The routes below ``/v1/jobs``."""
    router = APIRouter(prefix="/v1/jobs", tags=["erasing"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.post("", status_code=202, summary="Take what was forgotten before out of all files now")
    async def scrub(caller: Verified, partition: PartitionParameter = None) -> JobOut:
        return begun(engine, await engine.erasure.ask_to_scrub(await partition_to_write(caller, engine, partition)))

    @router.get("/{job_id}", summary="How far an erasure is, and what its operator has to do besides")
    async def read_job(caller: Verified, job_id: str, partition: PartitionParameter = None) -> JobOut:
        job = await engine.ledger.erasures.get(partition_for(caller, engine.settings, partition), job_id)
        if job is None:
            raise NotFoundError("There is no job with this id.")
        return shape(engine, job)

    return router


def begun(engine: Engine, job: Job) -> JobOut:
    """The job as it is told, with its work begun."""
    engine.spawn(_work(engine))
    return shape(engine, job)


async def _work(engine: Engine) -> None:
    try:
        await engine.erasure.work()
    except LiteLLMMemoryError:
        # The job says why, and is tried again.
        return


def shape(engine: Engine, job: Job) -> JobOut:
    """A job as JSON shows it."""
    return JobOut(
        id=job.id,
        partition=job.partition,
        progress=job.progress,
        requested=job.requested,
        finished=job.finished,
        forgotten=job.forgotten,
        problem=job.problem,
        remaining_steps=operator_steps(engine.settings),
    )
