"""A line of an import, and conversions of other products' fields."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from litellm_memory.errors import LiteLLMMemoryError

Json: TypeAlias = Mapping[str, Any]
Line: TypeAlias = Mapping[str, Any]
"""One memory as `POST /v1/import` takes it; only its ``text`` is required."""

LONGEST_NAME: Final = 256
"""Longest name of a user, project or tag in characters."""
UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories of characters that no name has."""
LONGEST_REPLY: Final = 32_000
"""Longest reply, in characters, that an import takes; a longer one is truncated, because it is probably a paste."""
MOST_TAGS: Final = 20
"""At most this many tags per memory."""
MILLISECONDS_SINCE: Final = 1e11
"""Numbers above this are milliseconds: as seconds they would be in the year 5138."""


class ShapeError(LiteLLMMemoryError):
    """A file or a record has an unexpected shape; the message says what is wrong, and where."""


def line_of(text: object, **fields: Any) -> Line:
    """A line without empty fields. Raises ShapeError when there is no text."""
    if not isinstance(text, str) or not text.strip():
        raise ShapeError("there is no text in it")
    return {"text": text.strip(), **{name: value for name, value in fields.items() if value not in (None, "", [])}}


def moment(value: object) -> str | None:
    """A time in RFC 3339, from one in that format or from seconds or milliseconds since 1970; None for anything
    else."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            seconds = value / 1000 if value > MILLISECONDS_SINCE else value
            return datetime.fromtimestamp(seconds, UTC).isoformat()
        return datetime.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def instant(value: object) -> str | None:
    """As ``moment``; None also at the edges of the calendar, which no time zone can tell."""
    told = moment(value)
    try:
        if told is not None:
            datetime.fromisoformat(told).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return told


def name(value: object) -> str | None:
    """A user, project or tag as an import takes it; None when there is none."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    composed = unicodedata.normalize("NFC", str(value))
    plain = "".join(sign for sign in composed if unicodedata.category(sign) not in UNSEEN)
    return plain.strip()[:LONGEST_NAME].strip() or None


def names(values: object) -> list[str]:
    """Distinct tags; none for a value that is not a list."""
    found: Iterable[object] = values if isinstance(values, list) else ()
    return list(dict.fromkeys(plain for value in found if (plain := name(value))))[:MOST_TAGS]


def share(value: object) -> float | None:
    """A number from 0 to 1; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None
