"""Statements that are worth keeping, by the rules of the languages and those of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from litellm_memory.extract.clauses import clauses, is_question, reports, states_nothing
from litellm_memory.extract.languages import Language, StatementRule, languages
from litellm_memory.extract.subjects import correction_in
from litellm_memory.models import MemoryKind
from litellm_memory.text.sentences import SPEECH

LONGEST = 500
"""Characters. Nobody states one fact in a longer sentence."""
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


def facts_in(said: Iterable[str], extra: Sequence[StatementRule] = ()) -> Sequence[Fact]:
    """The distinct facts in these sentences; the ``extra`` rules are tried first.

    Questions, suppositions and reports of what others say state none.
    """
    found: dict[str, Fact] = {}
    for sentence in said:
        if len(sentence) <= LONGEST:
            for fact in _facts(_without_speech(sentence.replace("’", "'")), sentence, extra):
                found.setdefault(fact.text, fact)
    return list(found.values())


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
    for language in languages():
        found = _facts_of_clauses(clauses(plain, language), sentence, language)
        if found:
            return found
    return []


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
