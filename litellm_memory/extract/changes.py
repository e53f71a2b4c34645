"""What a statement says to be over, and the sentence that it denies: from one table for each language.

The extractor lets in what denies a sentence that it would let in, and the comparer finds what is denied by the same
table, so that the two cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain, pairwise
from typing import Final

from litellm_memory.extract.languages import LONGEST, Language, languages
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import one_spaced
from litellm_memory.text.words import words

CACHED: Final = 4096
"""Size of the caches of parsed sentences: a new statement is compared with the same few again and again."""
ARTICLES: Final = frozenset(
    "der die das den dem ein eine einen einem einer le la les l une un des du de el los las una unos unas".split()
)
"""The search omits English articles already."""
FEWEST_LETTERS, SHARED_START = 4, 0.75
"""Two forms of a word share so many first letters, and so much of the longer one: most languages are not stemmed."""

_CLAUSE: Final = re.compile(r"[,;:!?()](?=\s|$)|\s[–—-]\s|[，；：。！？、]")
_UNSPACED: Final = re.compile(r"[\u3400-\u9fff]")
_GAP: Final = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
_SHORTENED: Final = re.compile(r"(?i)(?<=\w)'(?:re|m|ve|s|ll|d)\b|\b(?:j|l|d|n|qu|m|t|s|c)'(?=\w)")
_SPEAKER: Final = re.compile(r"(?i)\b(?:i|we|ich|wir|je|nous|on)\b|\bj'|^我们?(?!的)")


@dataclass(frozen=True, slots=True)
class Change:
    """What a sentence says to be over. All words are normalised like those of the search."""

    over: frozenset[str]
    """The words that are in no part but those that tell what is over."""
    near: frozenset[str]
    """The words of the clauses with such a part, and of those about the speaker if one of these is."""
    said: frozenset[str]
    """All its words."""
    renewed: frozenset[str]
    """The words of what it says to be true instead; empty when it only denies."""
    beside: frozenset[tuple[str, str]]
    """Words that stand directly beside each other."""
    touched: frozenset[str]
    """The words of the clauses with such a part."""
    speaker: bool
    """A clause that tells what is over is about the speaker: "I", "we"."""


@lru_cache(maxsize=CACHED)
def affirmed(text: str) -> str | None:
    """The sentence that ``text`` denies: "I live in Rome" for "I no longer live in Rome"; None when it denies none."""
    if len(text) > LONGEST:
        return None
    plain = plain_of(text)
    for language in languages():
        if not language.over.search(plain):
            continue
        said = plain
        for pattern, instead in language.denials:
            said = pattern.sub(instead, said)
        if said != plain:
            return _GAP.sub("", " ".join(said.split()))
    return None


def ends_something(text: str) -> bool:
    """True when ``text`` says of something true that it is so no more, in any language."""
    return any(language.ended.search(plain_of(text[:LONGEST])) for language in languages())


@lru_cache(maxsize=CACHED)
def change_in(text: str) -> Change | None:
    """What ``text`` says to be over; None when it says that of nothing."""
    if len(text) > LONGEST:
        return None
    plain = plain_of(text)
    for language in languages():
        clauses = [_parts(clause, language) for clause in _CLAUSE.split(plain)]
        if any(over for over, _ in clauses):
            return _change(plain, clauses)
    return None


def _change(plain: str, clauses: list[tuple[list[str], list[str]]]) -> Change:
    over = _words_of(part for old, _ in clauses for part in old)
    other = _words_of(part for _, rest in clauses for part in rest)
    touched = [clause for clause in clauses if clause[0]]
    # What follows the former value in its own clause is the new one: "from X to Y".
    heads = _words_of(rest[0] for old, rest in touched if rest and not any(map(_replaces, old)))
    spoken = [clause for clause in clauses if any(_SPEAKER.search(part) for part in chain(*clause))]
    in_touched, in_spoken = (_words_of(chain(*chain(*some))) for some in (touched, spoken))
    speaker = any(clause in spoken for clause in touched)
    return Change(
        over=over - other,
        near=in_touched | (in_spoken if speaker else frozenset()),
        said=over | other,
        renewed=other - heads - linking(),
        beside=_beside(plain),
        touched=in_touched,
        speaker=speaker,
    )


@lru_cache(maxsize=CACHED)
def content(text: str) -> frozenset[str]:
    """The words of what a sentence says to be true: without what it says to be over, articles and words of change."""
    plain = plain_of(text)
    if len(plain) > LONGEST:
        return _words_of([plain])
    for language in languages():
        clauses = [_parts(clause, language) for clause in _CLAUSE.split(plain)]
        rest = [part for _, other in clauses for part in other]
        if any(over for over, _ in clauses) and _words_of(rest) - linking():
            return _words_of(rest)
    return _words_of([plain])


def ends(change: Change, known: frozenset[str]) -> bool:
    """True when a change says that a known statement, of these words, is over.

    It names what sets the statement apart among what is over, and what the statement is about. When in doubt it does
    not end it: where they are about two things of a kind ("staging database", "production database"), about two people,
    or where it is over only in part ("no tea in the evening").
    """
    over = among(known, change.over) - linking()
    about = known - over - linking()
    if not over or about - among(about, change.said):
        return False
    if change.speaker and about - among(about, change.near):
        return False
    strange = _apart(change.said, known) - linking()
    if not about and strange & change.touched - change.renewed:
        return False
    if not change.renewed and strange & change.over:
        return False
    shared, strange = among(change.said, about), strange - change.renewed
    return not any(
        (one in shared and other in strange) or (one in strange and other in shared) for one, other in change.beside
    )


@cache
def linking() -> frozenset[str]:
    """Words that only join a subject and a value, or tell when, in all languages."""
    return frozenset().union(*(language.linking for language in languages()))


@lru_cache(maxsize=CACHED)
def plain_of(text: str) -> str:
    """A text as the patterns of `extract` read it: one kind of apostrophe, single blanks, simplified characters."""
    return simplified(one_spaced(text.replace("’", "'")))


def _parts(clause: str, language: Language) -> tuple[list[str], list[str]]:
    """The parts of a clause that tell what is over, and its others."""
    over: list[str] = []
    for pattern in language.moved:
        match = pattern.search(clause) if language.passing.search(clause) else None
        if match is not None:
            over.append(match["was"])
            clause = f"{clause[: match.start()]} \0 {clause[match.end() :]}"
    parts = [part for piece in clause.split("\0") for part in language.cuts.split(piece) if part and part.strip()]
    over += [part for part in parts if language.over.search(part)]
    return over, [part for part in parts if not language.over.search(part)]


def _replaces(part: str) -> bool:
    """True for a part with what is replaced by what stands before it: "instead of the bus"."""
    found = (language.over.search(part) for language in languages())
    return any(match is not None and match["instead"] for match in found)


def _words_of(parts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for part in parts for word in words(_cleaned(part))) - ARTICLES


def _cleaned(part: str) -> str:
    for language in languages():
        part = language.over.sub(" ", part)
    part = _GAP.sub("", part)
    for language in languages():
        part = language.passing.sub(" ", part)
    # A word of a script without spaces may be parted by others: its signs are compared one by one.
    return _UNSPACED.sub(r" \g<0> ", _SHORTENED.sub(" ", part))


def _beside(plain: str) -> frozenset[tuple[str, str]]:
    if _UNSPACED.search(plain):
        return frozenset()
    stems = [words(word) for word in plain.split()]
    return frozenset((one[-1], other[0]) for one, other in pairwise(stems) if one and other)


def among(some: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    """Those of ``some`` that are among the others, in any of their forms."""
    alike = _by_start(others)
    return frozenset(
        word
        for word in some
        if word in others or any(_alike(word, other) for other in alike.get(word[:FEWEST_LETTERS], ()))
    )


@lru_cache(maxsize=64)
def _by_start(words: frozenset[str]) -> Mapping[str, Sequence[str]]:
    """The words by the letters that two forms of one have in common: one text is held against hundreds of others."""
    found: dict[str, list[str]] = {}
    for word in words:
        if len(word) >= FEWEST_LETTERS:
            found.setdefault(word[:FEWEST_LETTERS], []).append(word)
    return found


def _apart(some: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    return some - among(some, others)


def _alike(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < FEWEST_LETTERS or shorter.isdigit() or _UNSPACED.search(shorter):
        return False
    same = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(shorter))
    return same >= FEWEST_LETTERS and same >= SHARED_START * len(longer)
