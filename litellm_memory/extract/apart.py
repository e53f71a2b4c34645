"""What keeps a new text from taking the place of a known one, however near they are in words and meaning.

It tells of somebody or something else ("our production database is now called osprey", where the staging database is
known), of a single day, or of the time before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from litellm_memory.extract.changes import ARTICLES, among, content, linking
from litellm_memory.extract.languages import languages
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import one_spaced
from litellm_memory.text.words import words

_CLAUSE: Final = re.compile(r"[,;:!?.()](?=\s|$)|\s[–—-]\s|[，；：。！？、]")
_SPEAKER: Final = re.compile(r"(?i)\b(?:i|we|ich|wir|je|on|nous|yo|nosotr[oa]s)\b|\bj'|^我们?(?!的)|[后就]我")
_DAY: Final = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend"
    r"|(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo)"
)
_ONE_DAY: Final = re.compile(
    r"(?i)(?<!from )(?<!since )(?<!starting )(?<!ab )(?<!seit )"
    rf"\b(?:this|next|coming|dies\w+|nächst\w+|kommend\w+|ce|este|el próximo) {_DAY}\b"
    rf"|(?<!dès )(?<!desde el )\b{_DAY} (?:prochain|que viene|próximo)\b"
    r"|(?<![从自])[这下]个?(?:周|星期|礼拜)[一二三四五六日天]"
)
_EARLIER: Final = re.compile(
    r"(?i)\b(?:before|bevor|avant|antes del?)\b(?! (?:i|we|ich|wir|je|on|nous)\b)|才换成|才改用"
)
"""What follows it came later than what is told: it still holds."""
_NEXT_WORDS: Final = 3


def tells_of_one_day(new: str) -> bool:
    """True for what holds on one day of the week, and not from then on: "no tennis this Sunday"."""
    return _ONE_DAY.search(_plain(new)) is not None


def is_apart(new: str, known: str) -> bool:
    """True when the new text, said later, is about something else than the known one or about an earlier time."""
    plain = _plain(new)
    return _is_of_another(plain, known) or _is_earlier(plain, known)


def _plain(text: str) -> str:
    return simplified(one_spaced(text.replace("’", "'")))


def _is_of_another(plain: str, known: str) -> bool:
    """It begins with somebody or something of the speaker's that is not in the known text, and no part of it is about
    the speaker."""
    clauses = [clause.strip() for clause in _CLAUSE.split(plain) if clause.strip()]
    owned = [_owned(clause) for clause in clauses]
    rest = (clause[end:] for clause, (_, end) in zip(clauses, owned, strict=True))
    first = owned[0][0] if owned else frozenset()
    return bool(first) and not among(first, content(known)) and not any(map(_SPEAKER.search, rest))


def _owned(clause: str) -> tuple[frozenset[str], int]:
    """The words for whom or what a clause begins with, and where the clause goes on."""
    for language in languages():
        if (match := language.possessed.match(clause)) is not None:
            return frozenset(words(match["what"])), match.end()
    return frozenset(), 0


def _is_earlier(plain: str, known: str) -> bool:
    """It tells what was before the known state: "I worked at the hospital before the pharmacy"."""
    return any(among(frozenset(said), content(known)) for said in _after(plain))


def _after(plain: str) -> Iterator[list[str]]:
    for found in _EARLIER.finditer(plain):
        [clause, *_] = _CLAUSE.split(plain[found.end() :])
        yield [word for word in words(clause) if word not in ARTICLES | linking()][:_NEXT_WORDS]
