"""What the outside may give of a memory: names, texts, tags and times, as pydantic types that refuse the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from litellm_memory.models import MAX_NAME_CHARACTERS, readable_id
from litellm_memory.redact import Redactor
from litellm_memory.redact.names import safe_id

MOST_FIELDS: Final = 64
"""A shape has fewer fields than this; an object with thousands would cost an error message for each."""
MOST_TAGS, TAG_BYTES = 100, 3000
MOST_USES: Final = 10**9
LONGEST_SAID: Final = 8000
"""Characters of a text, and of a question."""
_UNSEEN: Final = Redactor.of_the_unseen()


class Shape(BaseModel):
    """The base of all shapes: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, given: Any) -> Any:
        if isinstance(given, dict) and len(given) > MOST_FIELDS:
            raise ValueError(f"an object has at most {MOST_FIELDS} fields here")
        return given


def named(value: str) -> str:
    """A user, project or session as the headers name it, so that every door means the same. Raises ValueError."""
    return _readable(safe_id(value))


def _readable(name: str | None) -> str:
    if name is None:
        raise ValueError("a name is not blank and has no control characters")
    return name


def aware(moment: datetime) -> datetime:
    """The moment in UTC; without a zone, it is taken as UTC. Raises ValueError at the edges of the calendar."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("in UTC this is before the year 1 or after the year 9999") from None


def _seen(text: str) -> str:
    seen = _UNSEEN.text(text).strip()
    if not seen:
        raise ValueError("a text has something that can be seen")
    return seen


def _small_enough(tags: list[str]) -> list[str]:
    if sum(len(json.dumps(tag, ensure_ascii=False).encode(errors="replace")) for tag in tags) > TAG_BYTES:
        raise ValueError(f"all tags together may take {TAG_BYTES} bytes")
    return tags


_Short = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[_Short, AfterValidator(named)]
Tag = Annotated[_Short, AfterValidator(lambda value: _readable(readable_id(value)))]
"""A tag is redacted as a text is, so that the words around a secret stay."""
Said = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_SAID, strip_whitespace=True), AfterValidator(_seen)
]
"""A text as a reader sees it."""
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS), AfterValidator(_small_enough)]
Moment = Annotated[datetime, AfterValidator(aware)]
"""A time, in UTC."""
