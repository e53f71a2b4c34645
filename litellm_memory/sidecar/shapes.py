"""JSON shapes that several routes share; those of one route are in its module. Pydantic, because the data are
foreign."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from litellm_memory.models import Memory, MemoryKind
from litellm_memory.redact import Redactor

Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Said = Annotated[str, StringConstraints(min_length=1, max_length=8000, strip_whitespace=True)]

MOST_TAGS, TAG_BYTES = 100, 3000


def _small_enough(tags: list[str]) -> list[str]:
    if sum(len(json.dumps(tag, ensure_ascii=False).encode(errors="replace")) for tag in tags) > TAG_BYTES:
        raise ValueError(f"all tags together may take {TAG_BYTES} bytes")
    return tags


Tags = Annotated[list[Name], Field(max_length=MOST_TAGS), AfterValidator(_small_enough)]


class Shape(BaseModel):
    """The base of all shapes: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


def shown_as(**example: JsonValue) -> ConfigDict:
    """A shape's description for machines, with an example."""
    return ConfigDict(json_schema_extra={"example": example})


class ErrorCode(Shape):
    """What went wrong: a word for programs and a sentence for people."""

    code: str
    message: str


class ErrorOut(Shape):
    """Every error of every route."""

    error: ErrorCode


class OriginOut(Shape):
    """Who said it, in which client, in which call."""

    role: str
    client: str | None
    call_id: str | None


class SupersededOut(Shape):
    """What took its place, and why."""

    id: str
    reason: str


class MemoryOut(Shape):
    """One memory. Times are RFC 3339, in UTC."""

    id: str
    text: str
    kind: MemoryKind
    tags: list[str]
    partition: str
    user: str
    project: str | None
    session: str | None
    origin: OriginOut
    confidence: float
    created: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    superseded_by: SupersededOut | None
    pinned: bool
    uses: int
    last_used: datetime | None
    tokens: int
    reply: str | None
    review: str | None

    @classmethod
    def shown(cls, memory: Memory, redactor: Redactor) -> MemoryOut:
        """A memory in every response: redacted, because it may be older than a rule."""
        return MemoryOut.model_validate(redactor.memory(memory), from_attributes=True)


class MemoriesOut(Shape):
    """One page of a list; ``next_cursor`` asks for the next one and is null on the last."""

    data: list[MemoryOut]
    next_cursor: str | None


def aware(moment: datetime) -> datetime:
    """The moment in UTC; without a zone, it is taken as UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
