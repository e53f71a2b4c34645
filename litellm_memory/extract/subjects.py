"""What a statement is about, and what it says of that: so that a newer one can supersede an older one.

Groups of a pattern: ``what`` (and ``what2``) and ``how`` name the subject, ``value`` is its value, ``was`` the former
value, ``not`` says that it is no longer true, ``part`` that only a part of it changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from litellm_memory.extract.changes import ARTICLES, CACHED
from litellm_memory.extract.clauses import clauses
from litellm_memory.extract.languages import LONGEST, Language, SubjectRule, languages
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import one_spaced
from litellm_memory.text.words import words

Shape = Literal["number", "name", "words"]

_LATER = re.compile(
    r"(?i)\b(?:now|currently|any ?more|instead|these days|at the moment|jetzt|inzwischen|mittlerweile"
    r"|maintenant|désormais|ahora|actualmente)\b|现在|目前"
)
_NAME = re.compile(r"(?:an? |the |eine?n? |une? |la |le |el |los |las )?[A-ZÄÖÜ]")


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed statement. Words are normalised like those of the search."""

    subject: tuple[str, ...]
    value: frozenset[str]
    was: frozenset[str] = frozenset()
    holds: bool = True
    partly: bool = False
    """True when it names a part that it is confined to."""
    single: bool = True
    """True when the subject has one value at a time."""
    shape: Shape = "words"
    changed: bool = False
    """True when it says itself that something has changed."""


@lru_cache(maxsize=CACHED)
def statement_of(text: str) -> Statement | None:
    """The statement that a sentence makes; None when no language knows its subject.

    "Carla left, my manager is now Devin" gives the last clause that any language knows.
    """
    if len(text) > LONGEST:
        return None
    plain = _plain(text)
    for language in languages():
        found = _stated(plain, language)
        if found is not None:
            return found[0]
    for language in languages():
        for clause in reversed(clauses(plain, language)[1:]):
            found = _stated(clause, language)
            if found is not None:
                return replace(found[0], changed=True)
    return None


def corrected(text: str, known: str) -> str | None:
    """``known`` with the new value in ``text``, which names no subject ("it is Postgres now"); None when there is none.

    None also when the two values have different shapes, such as a name and a number.
    """
    value = correction_in(text)
    stated = next((found for language in languages() if (found := _stated(_plain(known[:LONGEST]), language))), None)
    if value is None or stated is None or stated[1] is None:
        return None
    begin, end = stated[1]
    plain = _plain(known)
    if _shape(value, frozenset()) != stated[0].shape:
        return None
    return f"{plain[:begin]}{value}{plain[end:]}."


@lru_cache(maxsize=CACHED)
def correction_in(text: str) -> str | None:
    """The name or number in a correction that names no subject; None for other sentences."""
    if len(text) > LONGEST:
        return None
    plain = simplified(_plain(text))
    matches = (pattern.fullmatch(plain) for language in languages() for pattern in language.corrections)
    value = next((str(match["value"]) for match in matches if match is not None), "")
    # "It is fine now" corrects nothing.
    return value if _shape(value, frozenset()) != "words" else None


def _plain(text: str) -> str:
    return one_spaced(text.replace("’", "'")).rstrip(" .!。！")


def _stated(plain: str, language: Language) -> tuple[Statement, tuple[int, int] | None] | None:
    """The statement that a sentence makes in one language, and the position of its value."""
    opened = language.openers.match(simplified(plain))
    shift = opened.end() if opened else 0
    bare = simplified(plain[shift:])
    for rule in language.subjects:
        match = rule.pattern.match(bare) if rule.start.match(bare) else None
        if match is not None and match.end() == len(bare):
            statement = _statement(rule, match, language, changed=bool(shift))
            return statement, _span(match, shift)
    return None


def _span(match: re.Match[str], shift: int) -> tuple[int, int] | None:
    begin, end = match.span("value") if match.groupdict().get("value") else (-1, -1)
    return (begin + shift, end + shift) if begin >= 0 else None


def _statement(rule: SubjectRule, match: re.Match[str], language: Language, *, changed: bool) -> Statement:
    groups = {name: text for name, text in match.groupdict().items() if text}
    value, was = _meaning(groups.get("value", "")), _meaning(groups.get("was", ""))
    about = " ".join(groups.get(name, "") for name in ("what", "what2"))
    named = language.new.sub("", about)
    what = [word for word in words(_LATER.sub("", named)) if word not in ARTICLES]
    if rule.pair:
        what = sorted(value | was)
    how = groups.get("how", "")
    single = rule.subject != "of" or bool(how) or named != about or bool(set(what) & language.attributes)
    return Statement(
        subject=(rule.subject, how.casefold(), *what),
        value=value,
        was=frozenset() if rule.pair else was,
        holds=not groups.get("not"),
        partly="part" in groups,
        single=single,
        shape=_shape(groups.get("value", ""), value & language.numbers),
        changed=changed or named != about or bool(_LATER.search(match.string)),
    )


def _meaning(text: str) -> frozenset[str]:
    return frozenset(words(_LATER.sub("", text))) - ARTICLES


def _shape(value: str, numbers: frozenset[str]) -> Shape:
    if numbers or re.search(r"\d", value):
        return "number"
    return "name" if _NAME.match(value.strip()) else "words"
