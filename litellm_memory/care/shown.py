"""A memory as the outside is shown it, redacted."""

from __future__ import annotations

from datetime import datetime

from litellm_memory.care.given import Shape
from litellm_memory.models import Memory, MemoryKind
from litellm_memory.redact import Redactor


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
    kept: datetime | None

    @classmethod
    def shown(cls, memory: Memory, redactor: Redactor) -> MemoryOut:
        """A memory in every response: redacted, because it may be older than a rule."""
        return MemoryOut.model_validate(redactor.memory(memory), from_attributes=True)
