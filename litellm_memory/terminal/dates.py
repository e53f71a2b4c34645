"""Times and spans as people write them: ``yesterday``, ``3d``, ``2026-11-01``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from litellm_memory.errors import LiteLLMMemoryError

_SPAN: Final = re.compile(r"(\d{1,6})\s*(m|h|d|w|y|min|hours?|days?|weeks?|years?)")
_UNITS: Final[Mapping[str, timedelta]] = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOW: Final = "write it as 3d, 2w, yesterday, monday, 2026-11-01 or 2026-11-01T08:00Z"


class DateError(LiteLLMMemoryError):
    """A text that is no time, or no span; the message says how to write one."""


def span(text: str) -> timedelta:
    """A span such as ``30d``, ``2w`` or ``12h``. Raises DateError."""
    if (read := _SPAN.fullmatch(text.strip().lower())) is None:
        raise DateError(f"{text} is no span of time: write it as 12h, 30d, 2w or 1y.")
    return int(read[1]) * _UNITS[read[2][0]]


def moment(text: str, now: datetime) -> datetime:
    """The time that ``text`` means at ``now``, which has a zone: a date begins at midnight there. Raises DateError."""
    plain = text.strip().lower().removesuffix(" ago")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if plain in named:
        return named[plain]
    if plain in _DAYS:
        return midnight - timedelta(days=(midnight.weekday() - _DAYS.index(plain)) % 7 or 7)
    try:
        if _SPAN.fullmatch(plain):
            return now - span(plain)
        read = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise DateError(f"{text} is no time: {HOW}.") from None
    return read if read.tzinfo else read.replace(tzinfo=now.tzinfo)


def rfc3339(text: str | None) -> str | None:
    """``text`` for the HTTP API; None for None. Raises DateError."""
    return None if text is None else moment(text, datetime.now().astimezone()).isoformat()
