"""Secrets that an older version kept, over HTTP: found, and redacted when that is asked for."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from litellm_memory.care.secrets import mend_secrets
from litellm_memory.engine import Engine
from litellm_memory.models import Caller
from litellm_memory.sidecar.access import PartitionParameter, partition_for, partition_to_write
from litellm_memory.sidecar.jobs import JobOut, begun
from litellm_memory.sidecar.shapes import Shape, shown_as


class SecretsIn(Shape):
    """Whether what is found is redacted."""

    model_config = shown_as(fix=False)

    fix: bool = Field(False, description="Redact it, and take the bytes before out of all files.")


class KeptOut(Shape):
    """A place that keeps secrets: ids of what holds them, and how many of each kind. The secrets are not told."""

    place: str
    ids: list[str]
    kinds: Mapping[str, int]


class SecretsOut(Shape):
    """What was found. ``job``: takes the bytes before out of all files; null when nothing was redacted."""

    fixed: bool
    data: list[KeptOut]
    job: JobOut | None


def audit_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """``/v1/audit/secrets``."""
    router = APIRouter(prefix="/v1/audit", tags=["erasing"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.post("/secrets", summary="Find what would be redacted today in all that is kept, and redact it")
    async def secrets(caller: Verified, asked: SecretsIn, partition: PartitionParameter = None) -> SecretsOut:
        if asked.fix:
            acting = await partition_to_write(caller, engine, partition)
        else:
            acting = partition_for(caller, engine.settings, partition)
        redactor = engine.redactor.always
        found = await mend_secrets(engine.memories, engine.ledger, acting, redactor=redactor, fix=asked.fix)
        mended = asked.fix and bool(found)
        return SecretsOut(
            fixed=mended,
            data=[KeptOut(**asdict(kept)) for kept in found],
            job=begun(engine, await engine.erasure.ask_to_scrub(acting)) if mended else None,
        )

    return router
