"""Lists in Markdown: each item is a memory, and the heading above it gives its kind or its tag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from litellm_memory.foreign.line import Json, Line, line_of, names

ITEM: Final = re.compile(r"^(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?(.+)$")
KINDS: Final = {
    "facts": "fact",
    "preferences": "preference",
    "decisions": "decision",
    "instructions": "instruction",
    "standing wishes": "instruction",
}


def fits(record: Json) -> bool:
    """Never true: text files are recognised by their names."""
    return False


def lines(record: Json) -> Iterator[Line]:
    """The memory of a line; none for a line that is not a list item."""
    item = ITEM.match(str(record["line"]))
    if item is None:
        return
    heading, parent = str(record["heading"]), str(record["parent"])
    above = ITEM.match(parent)
    nested = above is not None and parent != record["line"] and above[1].rstrip().endswith(":")
    text = f"{above[1].strip()} {item[1]}" if above is not None and nested else item[1]
    kind = KINDS.get(heading.lower())
    yield line_of(text, kind=kind or "fact", tags=[] if kind else names([heading]))


def statements(text: str) -> Iterator[str]:
    """The items and paragraphs of a text, without headings and markup."""
    for line in text.splitlines():
        plain = line.strip()
        if not plain or plain.startswith("#") or re.fullmatch(r"\*\*[^*]+\*\*:?", plain):
            continue
        item = ITEM.match(plain)
        yield (item[1] if item else plain).strip()
