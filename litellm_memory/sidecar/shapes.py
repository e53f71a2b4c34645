"""What the sidecar's JSON looks like: pydantic models, because here the outside comes in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from litellm_memory.models import Memory, MemoryKind, Recalled

Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Said = Annotated[str, StringConstraints(min_length=1, max_length=8000, strip_whitespace=True)]

MOST_TAGS, TAG_BYTES = 100, 3000


def _small_enough(tags: list[str]) -> list[str]:
    if sum(len(json.dumps(tag, ensure_ascii=False).encode(errors="replace")) for tag in tags) > TAG_BYTES:
        raise ValueError(f"all tags together may take {TAG_BYTES} bytes")
    return tags


Tags = Annotated[list[Name], Field(max_length=MOST_TAGS), AfterValidator(_small_enough)]


class Shape(BaseModel):
    """Closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid")


def shown_as(**example: JsonValue) -> ConfigDict:
    """What describes a shape to machines by an example of it."""
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


class OriginIn(Shape):
    """An origin as an import tells it."""

    role: Name = "import"
    client: Name | None = None
    call_id: Name | None = None


class SupersededOut(Shape):
    """What took its place, and why."""

    id: str
    reason: str


class SupersededIn(Shape):
    """A successor as an import tells it."""

    id: Name
    reason: Name


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


class ReviewOut(MemoryOut):
    """A memory that waits for its owner's word, and why."""

    reason: str


class ReviewsOut(Shape):
    """One page of what waits; ``next_cursor`` asks for the next one and is null on the last."""

    data: list[ReviewOut]
    next_cursor: str | None


class ReviewIn(Shape):
    """The owner's word: `accept` it as it is, `edit` it to `text` and accept that, or `reject` it for good."""

    model_config = shown_as(action="edit", text="Our CI for the mobile app runs on Buildkite.")

    action: Literal["accept", "edit", "reject"]
    text: Said | None = None

    @model_validator(mode="after")
    def _text_belongs_to_edit(self) -> ReviewIn:
        if (self.action == "edit") != (self.text is not None):
            raise ValueError("edit takes a text, and nothing else does")
        return self


class MemoryIn(Shape):
    """A memory to add; everything but its text is optional."""

    model_config = shown_as(text="Releases go out on Tuesdays.", project="github.com/acme/shop", tags=["release"])

    text: Said
    kind: MemoryKind = "fact"
    tags: Tags = Field(default_factory=list)
    user: Name | None = None
    project: Name | None = None
    session: Name | None = None
    created: datetime | None = None
    pinned: bool = False


class MemoryPatch(Shape):
    """What to correct in a memory; what is left out stays. ``null`` takes a project, a session or a time away."""

    model_config = shown_as(text="Releases go out on Fridays.", pinned=True)

    text: Said = ""
    kind: MemoryKind = "fact"
    tags: Tags = Field(default_factory=list)
    project: Name | None = None
    session: Name | None = None
    pinned: bool = False
    confidence: float = Field(1.0, ge=0, le=1)
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    review: Said = Field("", description="Why it shall wait for its owner's word and not be recalled until then.")


class ImportLine(Shape):
    """One line of an import: what an export writes, and everything but its text is optional."""

    text: Said
    id: Name | None = None
    kind: MemoryKind = "fact"
    tags: Tags = Field(default_factory=list)
    partition: str | None = None
    user: Name | None = None
    project: Name | None = None
    session: Name | None = None
    origin: OriginIn | None = None
    confidence: float = Field(1.0, ge=0, le=1)
    created: datetime | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    superseded_by: SupersededIn | None = None
    pinned: bool = False
    uses: int = Field(0, ge=0)
    last_used: datetime | None = None
    tokens: int | None = None
    reply: Annotated[str, StringConstraints(max_length=32_000)] | None = None
    review: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None


class RefusedLine(Shape):
    """A line of an import that could not be read, and why; lines are counted from 1."""

    line: int
    message: str


class ImportOut(Shape):
    """What became of the lines: kept, here already, or not readable (the first hundred of these are told)."""

    imported: int
    known: int
    refused: int
    errors: list[RefusedLine]


class NamespaceOut(Shape):
    """What one user has."""

    partition: str
    user: str
    memories: int
    projects: list[str]
    last_used: datetime | None


class NamespacesOut(Shape):
    """One page of users."""

    data: list[NamespaceOut]
    next_cursor: str | None


class CandidateOut(Shape):
    """A memory that was looked at. ``text`` is null when it is gone; ``left_out`` is null when it was recalled."""

    memory: str
    because: str
    text: str | None
    kind: MemoryKind | None
    score: float
    why: Mapping[str, float]
    left_out: str | None


class LearnedOut(Shape):
    """What became of something that the exchange held. ``text`` is null when there is no memory, or it is gone."""

    what: str
    reason: str
    memory: str | None
    kind: MemoryKind | None
    text: str | None


class TraceRow(Shape):
    """What memory did to one request."""

    id: str
    at: datetime
    partition: str
    user: str
    project: str | None
    session: str | None
    client: str | None
    model: str | None
    route: str | None
    kind: str | None
    kind_reason: str | None
    status: str
    reason: str
    count: int
    tokens: int


class AskedOut(Shape):
    """Why the memory that was asked for was recalled, or was not."""

    memory: str
    because: str


class TraceOut(TraceRow):
    """All of a trace. ``stages`` are milliseconds; ``carried`` are the memories that the conversation carries.

    ``why`` says in sentences what was done to the request.
    """

    why: list[str]
    asked: AskedOut | None
    unreadable: list[str]
    carried: list[str]
    limit: int | None
    budget: int | None
    min_score: float | None
    candidates: list[CandidateOut]
    stages: Mapping[str, float]
    learned: list[LearnedOut]


class TracesOut(Shape):
    """One page of traces."""

    data: list[TraceRow]
    next_cursor: str | None


class PreviewIn(Shape):
    """A request as a client would send it to LiteLLM."""

    model_config = shown_as(
        path="/v1/messages",
        headers={"x-memory-project": "github.com/acme/shop"},
        body={"messages": [{"role": "user", "content": "When do we release?"}]},
    )

    path: str = Field("/v1/chat/completions", max_length=2000)
    headers: Mapping[str, str] = Field(default_factory=dict)
    body: Mapping[str, Any]


class PreviewOut(Shape):
    """What memory would do to it. ``block`` is the text for its newest message, ``body`` what a model would be sent."""

    status: str
    reason: str
    kind: str | None
    count: int
    tokens: int
    block: str | None
    body: Mapping[str, Any] | None
    trace: TraceOut | None


class UsageRow(Shape):
    """The sums of a group of calls; the fields that it was not grouped by are null. Costs are dollars."""

    client: str | None = None
    model: str | None = None
    user: str | None = None
    project: str | None = None
    day: str | None = None
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


class SearchIn(Shape):
    """What to search for."""

    model_config = shown_as(query="when do we release", limit=5, project="github.com/acme/shop")

    query: Said
    limit: int = Field(10, ge=1, le=100)
    user: Name | None = None
    project: Name | None = None
    kinds: list[MemoryKind] = Field(default_factory=list)
    tags: Tags = Field(default_factory=list)


class Found(Shape):
    """A memory with its score (0 to 1) and what the score is made of."""

    memory: MemoryOut
    score: float
    why: Mapping[str, float]


class SearchOut(Shape):
    """What was found, best first."""

    results: list[Found]


class MemoriesOut(Shape):
    """One page of a list; ``next_cursor`` asks for the next one and is null on the last."""

    data: list[MemoryOut]
    next_cursor: str | None


def shape_of(memory: Memory) -> MemoryOut:
    """A memory as the API shows it."""
    return MemoryOut(
        id=memory.id,
        text=memory.text,
        kind=memory.kind,
        tags=list(memory.tags),
        partition=memory.partition,
        user=memory.user,
        project=memory.project,
        session=memory.session,
        origin=OriginOut(role=memory.origin.role, client=memory.origin.client, call_id=memory.origin.call_id),
        confidence=memory.confidence,
        created=memory.created,
        valid_from=memory.valid_from,
        valid_until=memory.valid_until,
        superseded_by=SupersededOut(id=memory.superseded_by.id, reason=memory.superseded_by.reason)
        if memory.superseded_by
        else None,
        pinned=memory.pinned,
        uses=memory.uses,
        last_used=memory.last_used,
        tokens=memory.tokens,
        reply=memory.reply,
        review=memory.review,
    )


def waiting_shape_of(memory: Memory) -> ReviewOut:
    """A memory that waits for review as the API shows it."""
    return ReviewOut(**shape_of(memory).model_dump(), reason=memory.review or "")


def found(recalled: Recalled) -> Found:
    """A search result as the API shows it."""
    return Found(memory=shape_of(recalled.memory), score=recalled.score, why=recalled.why)


def aware(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is taken to be in UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
