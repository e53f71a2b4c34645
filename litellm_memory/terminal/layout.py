"""Rows in the width of a terminal: one line each where they fit, else several; only names are shortened."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

GAP: Final = "  "
INDENT: Final = "    "
MOST_OF_A_NAME: Final = 20
"""Cells that a column before the last one may take; what is longer loses its middle."""
LEAST_OF_A_TEXT: Final = 32
"""Cells below which the last column goes under its row."""


def laid_out(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The lines of a table, its head first; no line is wider than ``width`` cells, unless a single word is."""
    named = [[*(shortened(cell, MOST_OF_A_NAME) for cell in row[:-1]), row[-1]] for row in (columns, *rows)]
    widths = [max(cells(row[number]) for row in named) for number in range(len(columns))]
    before = sum(widths[:-1]) + len(GAP) * (len(columns) - 1)
    beside = width - before
    under = beside < min(widths[-1], LEAST_OF_A_TEXT)
    for row in named:
        lead = GAP.join(padded(cell, size) for cell, size in zip(row[:-1], widths, strict=False))
        if under:
            yield from wrapped(lead.rstrip(), width, INDENT)
            yield from (f"{INDENT}{line}" for line in wrapped(row[-1], width - len(INDENT)))
        else:
            first, *more = wrapped(row[-1], beside) or [""]
            yield f"{lead}{GAP if len(columns) > 1 else ''}{first}".rstrip()
            yield from (f"{' ' * before}{line}" for line in more)


def cells(text: str) -> int:
    """The cells of a terminal that a line takes."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text if not unicodedata.combining(one))


def padded(text: str, size: int) -> str:
    """``text`` and blanks, ``size`` cells in all."""
    return text + " " * (size - cells(text))


def shortened(text: str, most: int) -> str:
    """``text`` in at most ``most`` cells: its beginning and its end, with an ellipsis between."""
    if cells(text) <= most:
        return text
    head, tail = text[: most // 3], text
    while cells(head) + 1 + cells(tail) > most:
        tail = tail[1:]
    return f"{head}…{tail}"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """The lines of ``text``, broken between words, or in words that are wider; ``indent`` before all but the first."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in chain.from_iterable(_pieces(word, width - len(indent)) for word in paragraph.split(" ")):
            if line and cells(line) + 1 + cells(word) > width:
                lines.append(line.rstrip())
                line = indent + word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line.rstrip())
    return lines


def _pieces(word: str, width: int) -> Iterator[str]:
    while cells(word) > max(width, 1):
        at = len(word)
        while cells(word[:at]) > width and at > 1:
            at = min(at - 1, max(1, width)) if at > width else at - 1
        yield word[:at]
        word = word[at:]
    yield word
