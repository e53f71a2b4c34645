"""Evaluation over HTTP: what recall finds today of what earlier answers used."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from litellm_memory.care.evaluation import evaluate
from litellm_memory.care.given import Name, Shape
from litellm_memory.gate.access import ReadPartition, WithEngine


class EvaluationRow(Shape):
    """Means over some questions, in percent; null where there are fewer than `fewest`."""

    questions: str
    count: int
    first_10: float | None
    in_block: float | None
    given_something: float | None
    of_block: float | None
    memories: float | None


class EvaluationOut(Shape):
    """The measures. ``requests`` were given memories; ``questions`` are those of them that can be asked again."""

    requests: int
    questions: int
    fewest: int
    rows: list[EvaluationRow]


router = APIRouter(prefix="/v1/evaluation", tags=["preview and traces"])


@router.get("", summary="What recall finds today of what earlier answers used")
async def evaluated(
    engine: WithEngine,
    partition: ReadPartition,
    user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many of the newest traces are read.")] = 1000,
) -> EvaluationOut:
    traces = await engine.ledger.traces.newest(partition, user=user, limit=limit)
    found = await evaluate(traces, engine.memories, engine.recall, engine.settings.recall, now=datetime.now(UTC))
    return EvaluationOut.model_validate(asdict(found))
