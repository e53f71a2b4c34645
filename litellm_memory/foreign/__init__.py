"""What other products export, read as lines of an import: one module a product, and a guess at which of them it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from litellm_memory.foreign import ai_mem, chatgpt, claude, claude_mem, maia, markdown, mem0, native
from litellm_memory.foreign.files import Record, is_text, records_in, text_lines
from litellm_memory.foreign.line import Json, Line, ShapeError
from litellm_memory.screening import why_to_review

__all__ = ["FORMATS", "Converted", "ShapeError", "converted", "format_of"]

MARKDOWN: Final = "markdown"
NATIVE: Final = "litellm-memory"
LONGEST_TEXT: Final = 8000
LONGEST_REPLY: Final = 32_000
"""Characters that an import takes; what is longer is cut, because it is a paste more often than a thing to remember."""


class Format(Protocol):
    """A product's export, a record at a time."""

    def fits(self, record: Json) -> bool:
        """True for a record that this product writes."""
        ...

    def lines(self, record: Json) -> Iterator[Line]:
        """What is worth remembering in a record. Raises ShapeError for one that cannot be read."""
        ...


FORMATS: Final[Mapping[str, Format]] = {
    NATIVE: native,
    "mem0": mem0,
    "claude-mem": claude_mem,
    "chatgpt": chatgpt,
    "claude": claude,
    MARKDOWN: markdown,
    "maia": maia,
    "ai-mem": ai_mem,
}
"""By the name that people give; the first that fits wins, so what is most special comes first where two would."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A line of an import in JSON, or why there is none, and where in the file it stands."""

    where: str
    line: bytes = b""
    refusal: str | None = None


def format_of(path: Path) -> str | None:
    """The name of the format that a file seems to have; None when it fits none. Raises ShapeError, OSError."""
    if is_text(path):
        return MARKDOWN
    first = next((record.value for record in records_in(path) if isinstance(record.value, dict)), None)
    return None if first is None else next((name for name, one in FORMATS.items() if one.fits(first)), None)


def converted(path: Path, name: str) -> Iterator[Converted]:
    """The lines of an import for a file of the format ``name``, in its order. Raises ShapeError, OSError."""
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
        for line in lines:
            yield Converted(record.where, _json(line if name == NATIVE else _looked_at(line, name)))


def _looked_at(line: Line, name: str) -> Line:
    """The line as a foreign product's: its origin, its lengths, and whether its owner has to look at it first."""
    text = str(line["text"])[:LONGEST_TEXT]
    reply = line.get("reply")
    told = {**line, "text": text, "origin": {"role": "import", "client": name}, "review": why_to_review(text)}
    return {**told, "reply": str(reply)[:LONGEST_REPLY]} if reply else told


def _json(line: Line) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
