"""Searching a long text piece by piece: a search holds the interpreter lock until it has found something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

PIECE: Final = 25_000
"""Characters in which matches begin: the rules look at so many in some milliseconds."""
BEYOND: Final = 25_000
"""Characters behind a piece that a match may reach into. Longer secrets belong to patterns that look at all."""


def each_match(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """As ``pattern.finditer(text)``; a pattern of blocks, whose dots match ends of lines, sees all of the text."""
    if len(text) <= PIECE + BEYOND or pattern.flags & re.DOTALL:
        yield from pattern.finditer(text)
        return
    at = begun = 0
    while at < len(text):
        found = pattern.search(text, at, begun + PIECE + BEYOND)
        if found is None or found.start() >= begun + PIECE:
            begun = at = max(begun + PIECE, at)
            continue
        yield found
        at = max(found.end(), at + 1)
