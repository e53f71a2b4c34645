"""Texts to the words that are searched for: Unicode words, folded, without the little words that say nothing."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from threading import Lock

import regex
import Stemmer  # type: ignore[import-not-found]  # a C extension without types

# Marks belong to their letters: without them Hindi and Thai words fall apart, and Python's ``\w`` leaves them out.
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)?")
_NAME = regex.compile(r"(?<![.!?…]\s)(?<!^)\b\p{Lu}[\p{L}\p{M}\p{N}]+")
# Scripts that are written without spaces: their words are found as pairs of neighbouring signs.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")
_LITTLE = frozenset(
    """a about after again all am an and any are as at be been before but by can could did do does doing for from had
    has have having he her here hers him his how i i'm i've if in into is it it's its just me more most my no nor not
    of off on once only or our ours out over own please same she should so some such tell than that that's the their
    them then there these they this those through to too under until up very was we were what what's when where which
    while who whom whose why will with would you your yours""".split()
)

_ENGLISH = frozenset(
    "the is are did does has have my your of to with and what which who whose when where why how".split()
)

# Without its own cache, which is not ours to bound. One at a time: its authors promise nothing to threads.
_STEMMER = Stemmer.Stemmer("english", 0)
_STEMMING = Lock()


def words(text: str) -> list[str]:
    """The words of ``text`` in order: folded, English ones stemmed, scripts without spaces as pairs of signs."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return [part for word in _WORD.findall(folded) if word not in _LITTLE for part in _parts(word)]


def names(text: str) -> set[str]:
    """The words of an English ``text`` that are written as names are, with a capital inside a sentence; else none.

    German writes every noun so, and many scripts have no capitals.
    """
    if _ENGLISH.isdisjoint(text.casefold().split()):
        return set()
    return {part for name in _NAME.findall(text) for part in words(name)}


def same_text(text: str) -> str:
    """What two texts share when they say the same in the same words: case, spaces and closing marks left out."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" .!…。！")


def _parts(word: str) -> list[str]:
    if not _UNSPACED.search(word):
        return [_stem(word)]
    parts: list[str] = []
    end = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > end:
            parts.append(_stem(word[end : run.start()]))
        signs = run.group()
        parts.extend([signs] if len(signs) == 1 else [signs[i : i + 2] for i in range(len(signs) - 1)])
        end = run.end()
    if end < len(word):
        parts.append(_stem(word[end:]))
    return parts


@lru_cache(1 << 16)
def _stem(word: str) -> str:
    """The Snowball stem of an English word, without a possessive ending; words of other scripts as they are."""
    word = word.removesuffix("'s")
    with _STEMMING:
        return str(_STEMMER.stemWord(word)) if word.isascii() else word
