"""What keeps a new text from taking the place of a known one, however near they are in words and meaning.

It tells of somebody or something else ("our production database is now called osprey", where the staging database is
known), of a single day, of what is only supposed or told in a story, of the time before, or that what is known holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from litellm_memory.extract.changes import ARTICLES, among, content, linking, plain_of
from litellm_memory.extract.clauses import states_nothing
from litellm_memory.extract.languages import languages
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
_ONLY_THEN: Final = re.compile(
    r"(?i)\b(?:only|just|nur|seulement|uniquement|sólo|solo) (?:for )?(?:this|next|today|tomorrow|tonight|dies\w+"
    r"|nächst\w+|heute|morgen|cette|aujourd'hui|demain|la semaine prochaine|esta|hoy|mañana|la próxima)\b"
    r"|\b(?:as an exception|for once|ausnahmsweise|exceptionnellement|por excepción|excepcionalmente|por una vez)\b"
    r"|[就只](?:是|有)?(?:今天|明天|后天|这)|例外|破例"
)
_SUPPOSED: Final = re.compile(
    r"(?i)\b(?:might|maybe|perhaps|(?:could|would)(?! you)|considering|thinking (?:of|about)|suggest\w*|propos\w*"
    r"|plan(?:s|ned|ning)? to|könnte\w*|würde\w*|vielleicht|überleg\w*|erwäg\w*|vorschl\w*|vorgeschlagen|envisage\w*"
    r"|pourrai\w*|peut-être|songe\w*|ojalá|podría\w*|quizás?|tal vez|pensando en|propus\w*|propuso)\b"
    r"|可能|也许|考虑|打算|建议|说不定|要不要"
)
"""What may come, or was only spoken of."""
_TOLD: Final = re.compile(
    r"(?i)\b(?:stor(?:y|ies)|novel|poem|lyrics|translat\w*|homework|scene|dialogue|märchen|kinderbuch|geschichte|roman"
    r"|gedicht|übersetz\w*|hausaufgabe\w*|conte|poème|pièce|réplique|tradui\w*|cuento|novela|poema|traduc\w*|guion"
    r"|deberes)\b|翻[译成]|小说|故事|短剧|剧本|台词|诗"
)
"""What is told of in a text that somebody makes, or has put into another language."""
_STILL: Final = re.compile(
    r"(?i)\b(?:still|immer noch|nach wie vor|weiterhin|toujours|sigue\w*|seguimos)\b|还是|仍|照旧|依旧"
)
_NOT: Final = re.compile(r"(?i)\b(?:not|haven't|hasn't|didn't|won't|no|nicht|pas|nunca)\b|没有")
_KIND: Final = re.compile(
    r"(?i)(?:the|my|our|der|die|das|mein\w*|unser\w*|le|la|les|mon|ma|mes|notre|el|los|las|mis?|nuestr\w+)\s+"
    r"(?P<first>[\w-]+)\s+(?P<of>(?:d[eu]|del|des|of|für|von)\s+|d')?(?P<second>[\w-]+)"
)
"""A thing by two words: "the mail server", "le serveur de recette", "el proyecto Alondra"."""
_CHILDHOOD: Final = re.compile(
    r"(?i)\bwhen i was (?:a |still |very )*(?:kid|child|little|small|young)\b|\bas a (?:kid|child)\b|\bals kind\b"
    r"|\bals ich (?:noch )?(?:klein|jung|ein kind)\b|\bquand j'étais (?:petite?|jeune|enfant)\b"
    r"|\bde (?:niñ[oa]|pequeñ[oa])\b|\bcuando era (?:niñ[oa]|pequeñ[oa]|joven)\b|小时候|小的时候"
)
_EARLIER: Final = re.compile(
    r"(?i)\b(?:before|bevor|avant|antes del?)\b(?! (?:i|we|ich|wir|je|on|nous)\b)|才换成|才改用"
)
"""What follows it came later than what is told: it still holds."""
_NEXT_WORDS: Final = 3


def changes_nothing(new: str) -> bool:
    """True for what holds on one day and not from then on ("no tennis this Sunday"), or is only supposed."""
    plain = plain_of(new)
    return any(pattern.search(plain) for pattern in (_ONE_DAY, _ONLY_THEN, _SUPPOSED)) or any(
        states_nothing(new, language) for language in languages()
    )


def is_apart(new: str, known: str) -> bool:
    """True when the new text, said later, is about something else than the known one or about an earlier time, or says
    that what is known holds."""
    plain = plain_of(new)
    if _TOLD.search(plain) and not _TOLD.search(plain_of(known)):
        return True
    tests = (_is_of_another, _is_another, _is_earlier, _is_confirmed)
    return any(test(plain, known) for test in tests)


def _is_of_another(plain: str, known: str) -> bool:
    """It begins with somebody or something of the speaker's that is not in the known text, and no part of it is about
    the speaker."""
    clauses = [clause.strip() for clause in _CLAUSE.split(plain) if clause.strip()]
    owned = [_owned(clause) for clause in clauses]
    if not owned or not owned[0][0] or owned[0][0] in plain_of(known):
        return False
    rest = (clause[len(clause) - left :] for clause, (_, left) in zip(clauses, owned, strict=True))
    return not among(frozenset(words(owned[0][0])), content(known)) and not any(map(_SPEAKER.search, rest))


def _owned(clause: str) -> tuple[str, int]:
    """Whom or what of the speaker's a clause begins with ("my new phone": the phone), and how much of it is left."""
    for language in languages():
        bare = language.new.sub("", clause)
        if (match := language.possessed.match(bare)) is not None:
            return match["what"], len(bare) - match.end()
    return "", len(clause)


def _is_confirmed(plain: str, known: str) -> bool:
    """It says that what is known is so still, and was not changed."""
    parts = [clause for clause in _CLAUSE.split(plain) if _STILL.search(clause)] if _NOT.search(plain) else []
    return any(among(content(known), frozenset(words(part))) for part in parts)


def _is_another(plain: str, known: str) -> bool:
    """Each names another thing of a kind: "the print server" where the mail server is known."""
    new, old = _KIND.match(plain), _KIND.match(plain_of(known))
    if new is None or old is None or any(language.new.search(new[0]) for language in languages()):
        return False
    if new["second"] == old["second"]:
        return _are_strange(new["first"], old["first"], plain, known)
    named = bool(new["of"] and old["of"]) or (new["second"][0].isupper() and old["second"][0].isupper())
    return named and new["first"] == old["first"] and _are_strange(new["second"], old["second"], plain, known)


def _are_strange(new: str, old: str, plain: str, known: str) -> bool:
    """Neither of two words stands in the other's text."""
    said, there = (frozenset(words(text)) for text in (plain, known))
    return not among(frozenset(words(new)), there) and not among(frozenset(words(old)), said)


def _is_earlier(plain: str, known: str) -> bool:
    """It tells what was before the known state: "I worked at the hospital before the pharmacy"."""
    return _CHILDHOOD.search(plain) is not None or any(among(frozenset(said), content(known)) for said in _after(plain))


def _after(plain: str) -> Iterator[list[str]]:
    for found in _EARLIER.finditer(plain):
        [clause, *_] = _CLAUSE.split(plain[found.end() :])
        yield [word for word in words(clause) if word not in ARTICLES | linking()][:_NEXT_WORDS]
