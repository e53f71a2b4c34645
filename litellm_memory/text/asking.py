"""What a question asks about: its search terms, without what it says beside its subject, in any script.

"What is my name?" shares its subject with "My name is Mei-ling.", and the rest is the way of asking. In English the
stop words are that rest. In scripts without spaces they cannot be told from a pair of characters, so they are taken
out of a run before it is cut into pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import regex

from litellm_memory.text.words import folded, parts, spoken, words

_TABLE: Final = Path(__file__).with_name("asking.txt")
_SINGLE: Final = regex.compile(r"[\p{Han}\p{Hangul}]")
"""Characters that mean something alone. A question often has only one beside its own wording, as 住 in 我住在哪里."""
_RUN: Final = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")


class _Wording(NamedTuple):
    """The table: whole words, what is taken out of a run, and the endings of Korean words."""

    whole: frozenset[str]
    inside: regex.Pattern[str]
    endings: tuple[str, ...]


def said_terms(text: str) -> list[str]:
    """The search terms of a memory: its ``words``, and the single characters of Chinese and Korean."""
    found = words(text)
    return found if text.isascii() else [*found, *_SINGLE.findall(folded(text))]


def asked_terms(text: str) -> list[str]:
    """The search terms of a query, which ``said_terms`` has too; those of its wording only when there are no others."""
    spoken_words = spoken(text)
    for wording in (_wording(with_nouns=True), _wording(with_nouns=False)):
        found = [term for word in spoken_words if word not in wording.whole for term in _terms(word, wording)]
        if found:
            return found
    return said_terms(text)


def _terms(word: str, wording: _Wording) -> Iterator[str]:
    """The terms of one word of a query."""
    if word.isascii() or not _RUN.search(word):
        yield from parts(word)
        return
    for piece in wording.inside.split(_without_ending(word, wording.endings)):
        for term in parts(piece) if piece else ():
            if len(term) > 1 or _SINGLE.match(term) or not _RUN.match(term):
                yield term
        singles = _SINGLE.findall(piece)
        # Two characters are one word; with each of them, one that is not there would weigh three times.
        if len(piece) > 2 or len(singles) < len(piece) == 2:
            yield from singles


def _without_ending(word: str, endings: tuple[str, ...]) -> str:
    """``word`` without its Korean ending, which must leave something."""
    ending = next((one for one in endings if word.endswith(one) and len(word) > len(one)), "")
    return word.removesuffix(ending)


@cache
def _wording(*, with_nouns: bool) -> _Wording:
    """``with_nouns``: also those that name what is asked for, such as "name" and "age"."""
    lines = (line for line in _TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    listed = (entry for line in lines for entry in line.split()[1:])
    entries = {folded(entry.removeprefix("=")) for entry in listed if with_nouns or not entry.startswith("=")}
    endings = {entry[1:] for entry in entries if entry.startswith("-")}
    inside = {entry for entry in entries if not entry.startswith("-") and _RUN.fullmatch(entry)}
    return _Wording(
        frozenset(entries - inside),
        regex.compile("|".join(sorted(map(regex.escape, inside), key=len, reverse=True))),
        tuple(sorted(endings, key=len, reverse=True)),
    )
