"""Usage over HTTP: what calls cost, and how people rated the answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from litellm_memory.api.shapes import shown_as
from litellm_memory.care.given import Moment, Name, Shape
from litellm_memory.errors import NotFoundError
from litellm_memory.gate.access import ReadPartitions, WithEngine, WritePartition
from litellm_memory.gate.apart import answer_with, apart
from litellm_memory.ledger import GROUPINGS, Grouping, Usage

LABELLED: Final = frozenset({"partition", "key", "team"})
"""What is known by a name besides its id."""


class UsageRow(Shape):
    """The sums of a group of calls; the fields that it was not grouped by are null. Costs are dollars.

    ``label``: the name by which people know the key, else the partition, else the team of the group.
    """

    client: str | None = None
    model: str | None = None
    user: str | None = None
    project: str | None = None
    day: str | None = None
    partition: str | None = None
    key: str | None = None
    team: str | None = None
    label: str | None = None
    calls: int
    failures: int
    truncated: int
    refused: int
    empty: int
    retried: int
    retries: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    memory_tokens: int
    recalled: int
    learned: int
    cost: float
    latency: float
    feedback: float | None


class UsageOut(Shape):
    """The groups, the dearest first."""

    data: list[UsageRow]


class FeedbackIn(Shape):
    """What a person thought of an answer: the id that `x-memory-trace` had, and -1 (bad) to 1 (good)."""

    model_config = shown_as(call="9c1f6d0e5b7a48d2a1e3c4f5b6a7d8e9", score=1)

    call: Name
    score: float = Field(ge=-1, le=1)


router = APIRouter(prefix="/v1", tags=["usage"])


@router.get(
    "/usage",
    summary="What calls cost, by client, model, user, project, day, partition, key and team",
    response_model=UsageOut,
    responses={200: {"content": {"text/csv": {}}}},
)
async def usage(
    engine: WithEngine,
    partition: ReadPartitions,
    by: Annotated[list[Grouping] | None, Query(description="What to group by; one sum when left out.")] = None,
    since: Annotated[Moment | None, Query(description="From this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
    format: Annotated[Literal["json", "csv"], Query(description="How to answer.")] = "json",
) -> Response:
    groups = list(dict.fromkeys(by or ()))
    found = await engine.ledger.calls.usage(partition, groups, since=since, until=until)
    labels = await engine.ledger.people.register.of_groups() if LABELLED & set(groups) else {}
    row = partial(_row, groups, labels)
    if format == "json":
        return await answer_with("data", found, row)
    return Response(await apart(lambda: _csv(groups, [row(item) for item in found])), media_type="text/csv")


@router.post("/feedback", status_code=204, response_class=Response, summary="What a person thought of an answer")
async def feedback(engine: WithEngine, partition: WritePartition, given: FeedbackIn) -> None:
    if not await engine.ledger.calls.rate(partition, given.call, given.score):
        raise NotFoundError("There is no call with this id.")


def _row(groups: Sequence[Grouping], labels: Mapping[str, Mapping[str, str]], usage: Usage) -> UsageRow:
    sums = {name: value for name, value in asdict(usage).items() if name != "group"}
    group = dict(zip(groups, usage.group, strict=True))
    named = (labels[name].get(group[name] or "") for name in ("key", "partition", "team") if name in group)
    return UsageRow(**group, label=next(filter(None, named), None), **sums)


def _csv(groups: Sequence[Grouping], rows: Sequence[UsageRow]) -> str:
    labelled = LABELLED & set(groups)
    known = [name for name in UsageRow.model_fields if name != "label" or labelled]
    columns = [name for name in known if name in groups or name not in GROUPINGS]
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    for row in rows:
        values = [getattr(row, name) for name in columns]
        writer.writerow([_plain(value) for value in values])
    return written.getvalue()


def _plain(value: object) -> object:
    # A spreadsheet runs a text that starts like a formula, and clients choose names freely.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
