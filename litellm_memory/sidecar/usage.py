"""What calls cost, over HTTP, and what people thought of the answers."""

# No postponed annotations here: FastAPI could not find the local ``Verified`` by its name.
import csv
import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from litellm_memory.engine import Engine
from litellm_memory.errors import NotFoundError
from litellm_memory.ledger import Grouping, Usage
from litellm_memory.models import Caller
from litellm_memory.sidecar.access import PartitionParameter, partition_for, partition_to_write
from litellm_memory.sidecar.shapes import FeedbackIn, UsageOut, UsageRow, aware


def usage_router(engine: Engine, verified: Callable[..., Awaitable[Caller]]) -> APIRouter:
    """``/v1/usage`` and ``/v1/feedback``."""
    router = APIRouter(prefix="/v1", tags=["usage"])
    Verified = Annotated[Caller, Depends(verified)]

    @router.get(
        "/usage",
        summary="What calls cost, by client, model, user, project and day",
        response_model=UsageOut,
        responses={200: {"content": {"text/csv": {}}}},
    )
    async def usage(
        caller: Verified,
        by: Annotated[list[Grouping] | None, Query(description="What to group by; one sum when left out.")] = None,
        since: Annotated[datetime | None, Query(description="From this time on.")] = None,
        until: Annotated[datetime | None, Query(description="Before this time.")] = None,
        format: Annotated[Literal["json", "csv"], Query(description="How to answer.")] = "json",
        partition: PartitionParameter = None,
    ) -> UsageOut | Response:
        groups = list(dict.fromkeys(by or ()))
        found = await engine.ledger.calls.usage(
            partition_for(caller, engine.settings, partition),
            groups,
            since=aware(since) if since else None,
            until=aware(until) if until else None,
        )
        rows = [_row(groups, item) for item in found]
        return UsageOut(data=rows) if format == "json" else Response(_csv(groups, rows), media_type="text/csv")

    @router.post("/feedback", status_code=204, response_class=Response, summary="What a person thought of an answer")
    async def feedback(caller: Verified, given: FeedbackIn, partition: PartitionParameter = None) -> None:
        acting = await partition_to_write(caller, engine, partition)
        if not await engine.ledger.calls.rate(acting, given.call, given.score):
            raise NotFoundError("There is no call with this id.")

    return router


def _row(groups: Sequence[Grouping], usage: Usage) -> UsageRow:
    sums = {name: value for name, value in asdict(usage).items() if name != "group"}
    return UsageRow(**dict(zip(groups, usage.group, strict=True)), **sums)


def _csv(groups: Sequence[Grouping], rows: Sequence[UsageRow]) -> str:
    columns = [name for name in UsageRow.model_fields if name in groups or name not in GROUP_FIELDS]
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    for row in rows:
        values = [getattr(row, name) for name in columns]
        writer.writerow([_plain(value) for value in values])
    return written.getvalue()


def _plain(value: object) -> object:
    # A spreadsheet runs a text that begins like a formula, and clients choose names freely.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


GROUP_FIELDS = ("client", "model", "user", "project", "day")
