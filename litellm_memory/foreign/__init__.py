"""Exports of other products, read as lines of an import: one module per product, and detection of the format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from litellm_memory.foreign import ai_mem, chatgpt, claude, claude_mem, litellm, maia, markdown, mem0, native
from litellm_memory.foreign.files import File, Record, is_text, records_in, text_lines
from litellm_memory.foreign.line import LONGEST_REPLY, Json, Line, ShapeError
from litellm_memory.screening import why_to_review

__all__ = ["FORMATS", "Converted", "ShapeError", "converted", "format_of"]

MARKDOWN: Final = "markdown"
NATIVE: Final = "litellm-memory"
LONGEST_TEXT: Final = 8000
"""Longest text, in characters, that an import takes."""


class Format(Protocol):
    """The export format of a product, one record at a time."""

    def fits(self, record: Json) -> bool:
        """True for a record that this product writes."""
        ...

    def lines(self, record: Json) -> Iterator[Line | None]:
        """The memories in a record, None for something of the person's without words.

        Raises ShapeError for one that cannot be read.
        """
        ...


FORMATS: Final[Mapping[str, Format]] = {
    NATIVE: native,
    "litellm": litellm,
    "mem0": mem0,
    "claude-mem": claude_mem,
    "chatgpt": chatgpt,
    "claude": claude,
    MARKDOWN: markdown,
    "maia": maia,
    "ai-mem": ai_mem,
}
"""By the name that people use. The first format that fits wins, so more specific ones come first."""


TOO_DEEP: Final = "it is nested too deeply"
ODD: Final = "a field of it is of another type than this product writes"
NOTHING: Final = "nothing in it is a memory, or was said by the person in words"
LOOKED_AT: Final = 100
"""Records at the beginning of a file, of which the first that fits a format shows which product wrote it."""


@dataclass(frozen=True, slots=True)
class Converted:
    """An import line in JSON, or why there is none, and its position in the file.

    ``skipped``: there is none because the product keeps something else there, such as what was deleted.
    """

    where: str
    line: bytes = b""
    refusal: str | None = None
    skipped: bool = False


def format_of(path: File | Path) -> str | None:
    """The detected format of a file; None when none fits. Raises ShapeError, OSError."""
    if is_text(path):
        return MARKDOWN
    first = [record.value for record in islice(records_in(path), LOOKED_AT) if isinstance(record.value, dict)]
    return next((name for record in first for name, one in FORMATS.items() if one.fits(record)), None)


def converted(path: File | Path, name: str) -> Iterator[Converted]:
    """The import lines for a file in the format ``name``, in its order. Raises ShapeError, OSError."""
    return _converted(text_lines(path) if name == MARKDOWN else records_in(path), name)


def _converted(records: Iterable[Record], name: str) -> Iterator[Converted]:
    form = FORMATS[name]
    for record in records:
        try:
            if not isinstance(record.value, dict):
                raise ShapeError("this is no JSON object")
            lines = list(form.lines(record.value))
        except ShapeError as error:
            yield Converted(record.where, refusal=str(error))
            continue
        except RecursionError:
            yield Converted(record.where, refusal=TOO_DEEP)
            continue
        except (TypeError, ValueError, AttributeError, LookupError):
            # Any field of a file may be anything, and one odd record is no reason to refuse all others.
            yield Converted(record.where, refusal=ODD)
            continue
        for line in lines or [None]:
            if line is None:
                yield Converted(record.where, refusal=NOTHING, skipped=True)
            else:
                yield _line(record.where, line if name == NATIVE else _as_foreign(line, name))


def _as_foreign(line: Line, name: str) -> Line:
    """The line with its origin, truncated, and marked for review when its text is suspicious."""
    text = str(line["text"])[:LONGEST_TEXT]
    reply = line.get("reply")
    told = {**line, "text": text, "origin": {"role": "import", "client": name}, "review": why_to_review(text)}
    return {**told, "reply": str(reply)[:LONGEST_REPLY]} if reply else told


def _line(where: str, line: Line) -> Converted:
    try:
        return Converted(where, json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    except RecursionError:
        return Converted(where, refusal=TOO_DEEP)
