"""What a statement is about, and what it says of that: so that a newer one can be told to take an older one's place.

Groups of a pattern: ``what`` (and ``what2``) and ``how`` name the subject, ``value`` is what is said of it, ``was`` the
value that it had before, ``not`` (and ``not2``) that it holds no more, ``part`` that only a part of it changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from litellm_memory.extract.languages import Language, SubjectRule, languages
from litellm_memory.words import words

Shape = Literal["number", "name", "words"]

_LATER = re.compile(
    r"(?i)\b(?:now|currently|any ?more|instead|these days|at the moment|jetzt|inzwischen|mittlerweile"
    r"|maintenant|désormais|ahora|actualmente)\b|现在|目前"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement taken apart. Words are folded as the search does."""

    subject: tuple[str, ...]
    value: frozenset[str]
    was: frozenset[str] = frozenset()
    holds: bool = True
    partly: bool = False
    """It names a part to which it is confined."""
    single: bool = True
    """The subject has one value at a time."""
    shape: Shape = "words"
    changed: bool = False
    """It says itself that something is different from before."""


@lru_cache(maxsize=65_536)
def statement_of(text: str) -> Statement | None:
    """The statement that a sentence makes; None when no language knows what it is about."""
    plain = text.replace("’", "'").strip().rstrip(" .!。！")
    for language in languages():
        plain_here = language.openers.sub("", plain, count=1) if language.openers.match(plain) else plain
        for rule in language.subjects:
            match = rule.pattern.match(plain_here) if rule.start.match(plain_here) else None
            if match is not None and match.end() == len(plain_here):
                return _statement(rule, match, language, changed=plain_here != plain)
    return None


def _statement(rule: SubjectRule, match: re.Match[str], language: Language, *, changed: bool) -> Statement:
    groups = {name: text for name, text in match.groupdict().items() if text}
    value, was = _meaning(groups.get("value", "")), _meaning(groups.get("was", ""))
    what = [word for name in ("what", "what2") for word in words(_LATER.sub("", groups.get(name, "")))]
    if rule.pair:
        what = sorted(value | was)
    single = True
    how = groups.get("how", "")
    if rule.subject == "of" and not how:
        single = bool(set(what) & language.attributes)
    return Statement(
        subject=(rule.subject, how.casefold(), *what),
        value=value,
        was=frozenset() if rule.pair else was,
        holds=not (groups.get("not") or groups.get("not2")),
        partly="part" in groups,
        single=single,
        shape=_shape(groups.get("value", ""), value & language.numbers),
        changed=changed or bool(_LATER.search(match.string)),
    )


def _meaning(text: str) -> frozenset[str]:
    return frozenset(words(_LATER.sub("", text)))


def _shape(value: str, numbers: frozenset[str]) -> Shape:
    if numbers or re.search(r"\d", value):
        return "number"
    return "name" if re.match(r"[A-ZÄÖÜ]", value) else "words"
