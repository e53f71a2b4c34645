"""The phrases that indicate an aim, as data: one YAML file per language next to this module, compiled once.

A file maps the name of a sign to regular expressions in lower case. All languages are searched at once, because an
attack may mix them. ``spaced: false`` means that a sign may begin and end anywhere, because the language writes no
spaces; otherwise it begins and ends at word boundaries.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeAlias

import regex
import yaml

Span: TypeAlias = tuple[int, int]
"""The start and end offsets of a sign in a text."""

FILES: Final = sorted(Path(__file__).parent.glob("*.yaml"))
LONGEST: Final = 200
"""Maximum length of a sign in characters."""
BEGINNING: Final = 3
"""The first letters of a word that select which signs to try."""
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML has it, which is ten times as fast: every process that reads the rules waits for that."""
_WORD: Final = re.compile(r"(?<!\w)[\w.]")


@lru_cache(maxsize=64)
def signs_in(text: str) -> Mapping[str, Sequence[Span]]:
    """The spans of all signs in ``text``, which must be in lower case, by name."""
    found: dict[str, list[Span]] = {}
    for sign, span in sorted((*_in_words(text), *_anywhere(text)), key=itemgetter(1)):
        found.setdefault(sign, []).append(span)
    return found


def around(spans: Sequence[Span], span: Span, near: int) -> Iterator[Span]:
    """Those of ``spans`` (sorted) that overlap ``span`` or are at most ``near`` characters away."""
    start, end = span
    first = bisect_left(spans, (start - near - LONGEST, 0))
    for place in range(first, bisect_right(spans, (end + near + 1, 0))):
        if spans[place][1] + near >= start:
            yield spans[place]


def _in_words(text: str) -> Iterator[tuple[str, Span]]:
    for word in _WORD.finditer(text):
        start = word.start()
        for sign, pattern in _beginning_with(text[start : start + BEGINNING]):
            match = pattern.match(text, start, start + LONGEST)
            if match is not None:
                yield sign, match.span()


def _anywhere(text: str) -> Iterator[tuple[str, Span]]:
    for language in _languages():
        if not language.spaced and (language.in_ascii or not text.isascii()):
            for sign, pattern in language.signs.items():
                yield from ((sign, match.span()) for match in pattern.finditer(text))


@lru_cache(maxsize=20_000)
def _beginning_with(letters: str) -> Sequence[tuple[str, regex.Pattern[str]]]:
    """The patterns that may match a word with these first letters. Cached: trying all patterns would be slow."""
    return [
        (sign, pattern)
        for language in _languages()
        if language.spaced
        for sign, pattern in language.signs.items()
        if pattern.match(letters, partial=True)
    ]


@dataclass(frozen=True, slots=True)
class _Language:
    """The signs of one file. ``in_ascii``: one of them is pure ASCII, so a pure ASCII text may match."""

    spaced: bool
    in_ascii: bool
    signs: Mapping[str, regex.Pattern[str]]


@cache
def _languages() -> Sequence[_Language]:
    files = (yaml.load(file.read_text(encoding="utf-8"), _LOADER) for file in FILES)
    return [_compiled(signs.pop("spaced", True), signs) for signs in files]


def _compiled(spaced: bool, signs: Mapping[str, Sequence[str]]) -> _Language:
    end = r"(?!\w)" if spaced else ""
    joined = {sign: "|".join(patterns).replace(" ", r"\s+") for sign, patterns in signs.items()}
    in_ascii = any(pattern.isascii() for patterns in signs.values() for pattern in patterns)
    compiled = {sign: regex.compile(f"(?:{pattern}){end}", regex.MULTILINE) for sign, pattern in joined.items()}
    return _Language(spaced, in_ascii, compiled)
