"""Secrets that an older version stored, over HTTP: found, and redacted on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from litellm_memory.api.jobs import JobOut, begun
from litellm_memory.api.shapes import shown_as
from litellm_memory.care.given import Shape
from litellm_memory.care.secrets import audit_secrets
from litellm_memory.gate.access import WithAccess, WithEngine


class SecretsIn(Shape):
    """Whether what is found is redacted."""

    model_config = shown_as(fix=False)

    fix: bool = Field(False, description="Redact it, and take the bytes before out of all files.")


class KeptOut(Shape):
    """A place that keeps secrets: ids of what holds them, and how many of each kind. The secrets are not shown."""

    place: str
    ids: list[str]
    kinds: Mapping[str, int]


class SecretsOut(Shape):
    """What was found. ``job``: takes the bytes before out of all files; null when nothing was redacted."""

    fixed: bool
    data: list[KeptOut]
    job: JobOut | None


async def audited_partition(access: WithAccess, asked: SecretsIn) -> str:
    """The partition to read, or to change when secrets are to be redacted."""
    return await access.partition(writes=asked.fix)


router = APIRouter(prefix="/v1/audit", tags=["erasing"])


@router.post("/secrets", summary="Find what would be redacted today in all that is kept, and redact it")
async def secrets(
    engine: WithEngine, partition: Annotated[str, Depends(audited_partition)], asked: SecretsIn
) -> SecretsOut:
    redactor = engine.redactor.always
    found = await audit_secrets(engine.memories, engine.ledger, partition, redactor=redactor, fix=asked.fix)
    mended = asked.fix and bool(found)
    return SecretsOut(
        fixed=mended,
        data=[KeptOut(**asdict(kept)) for kept in found],
        job=begun(engine, await engine.erasure.ask_to_scrub(partition)) if mended else None,
    )
