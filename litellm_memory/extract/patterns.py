"""Statements that are worth keeping, by the rules of the languages and those of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from litellm_memory.extract.changes import affirmed, change_in, ends_something
from litellm_memory.extract.clauses import clauses, is_question, reports, states_nothing
from litellm_memory.extract.languages import LONGEST, Language, StatementRule, languages
from litellm_memory.extract.subjects import correction_in, statement_of
from litellm_memory.models import MemoryKind
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import SPEECH
from litellm_memory.text.words import words

FEW_WORDS = 4
"""Words. So few words before a clause belong to it."""
SPOKEN_WORDS = 5
"""A quotation of at least this many words is speech, a shorter one a name."""
CONFIDENCE = 0.7
"""Of a fact found by pattern; MAIA, an earlier memory proxy, uses the same."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement of the person that is worth keeping, and its sentence."""

    text: str
    sentence: str
    kind: MemoryKind
    confidence: float
    about_person: bool
    only_if_ends: bool = False
    """It is worth keeping only when something known is over by it."""


def facts_in(said: Iterable[str], extra: Sequence[StatementRule] = ()) -> Sequence[Fact]:
    """The distinct facts in these sentences; the ``extra`` rules are tried first.

    Questions, suppositions and reports of what others say state none.
    """
    found: dict[str, Fact] = {}
    for sentence in said:
        if len(sentence) <= LONGEST:
            plain = _without_speech(sentence.replace("’", "'"))
            for fact in _facts(simplified(plain), sentence, extra):
                text = _as_said(fact.text, plain)
                found.setdefault(text, replace(fact, text=text))
    return list(found.values())


def _as_said(text: str, plain: str) -> str:
    """``text``, which was found in the simplified ``plain``, in the characters of ``plain``."""
    start = -1 if text in plain else simplified(plain).find(text)
    return plain[start : start + len(text)] if start >= 0 else text


def _without_speech(sentence: str) -> str:
    """``sentence`` without quoted speech; a quoted name stays."""
    return SPEECH.sub(lambda speech: speech.group() if len(speech.group().split()) < SPOKEN_WORDS else "…", sentence)


def _facts(plain: str, sentence: str, extra: Sequence[StatementRule]) -> list[Fact]:
    """The facts of the first language that finds any: a sentence is in one language."""
    if extra and not is_question(plain):
        own = [fact for rule in extra if (fact := _fact(rule, plain, sentence))]
        if own:
            return own[:1]
    if any(states_nothing(plain, language) or reports(plain, language) for language in languages()):
        return []
    if correction_in(plain) is not None and not is_question(plain):
        return [Fact(plain.strip(), sentence, "fact", CONFIDENCE, about_person=False)]
    found = _by_rules(plain, sentence)
    if is_question(plain):
        return found
    change = change_in(plain)
    if found:
        all_told = change is None or change.over <= _content_of(found)
        return found if all_told else [replace(found[0], text=plain.strip())]
    affirmation = affirmed(plain) if ends_something(plain) else None
    if affirmation and (denied := _by_rules(affirmation, sentence)):
        return [replace(denied[0], text=plain.strip())]
    if change is None and statement_of(plain) is None:
        return []
    return [Fact(plain.strip(), sentence, "fact", CONFIDENCE, about_person=False, only_if_ends=True)]


def _content_of(facts: Sequence[Fact]) -> frozenset[str]:
    """All words of these facts."""
    return frozenset(word for fact in facts for word in words(fact.text))


def _by_rules(plain: str, sentence: str) -> list[Fact]:
    """The facts of the first language that finds any."""
    found = (_facts_of_clauses(clauses(plain, language), sentence, language) for language in languages())
    return next((facts for facts in found if facts), [])


def _facts_of_clauses(parts: Sequence[str], sentence: str, language: Language) -> list[Fact]:
    """The facts of a sentence's clauses. A few words before a clause ("At home, we speak Polish") belong to it."""
    if is_question(parts[0]):
        return []
    found: list[Fact] = []
    before = ""
    for part in parts:
        if is_question(part):
            before = ""
            continue
        fact = (_first(f"{before}, {part}", sentence, language) if before else None) or _first(part, sentence, language)
        before = part if fact is None and len(part.split()) <= FEW_WORDS else ""
        if fact is not None:
            found.append(fact)
    return found


def _first(clause: str, sentence: str, language: Language) -> Fact | None:
    return next((fact for rule in language.rules if (fact := _fact(rule, clause, sentence))), None)


def _fact(rule: StatementRule, clause: str, sentence: str) -> Fact | None:
    match = rule.pattern.match(clause)
    if match is None:
        return None
    text = (match.groupdict().get("fact") or clause).strip()
    return Fact(text, sentence, rule.kind, CONFIDENCE, rule.about_person)
