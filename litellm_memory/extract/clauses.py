"""What a sentence does, in any of the known languages: asks, doubts, reports, or states clause by clause."""

from __future__ import annotations

from litellm_memory.extract.languages import LONGEST, Language, languages
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import bare, ends_in_question_mark, one_spaced


def is_question(sentence: str) -> bool:
    """True for a question: it ends with a question mark, or starts like a question and has no full stop."""
    plain = simplified(one_spaced(bare(sentence)))
    return ends_in_question_mark(plain) or any(language.asks.match(plain[:LONGEST]) for language in languages())


def states_nothing(sentence: str, language: Language) -> bool:
    """True for a sentence that, in this language, supposes or doubts."""
    return bool(language.unsure.search(simplified(one_spaced(sentence[:LONGEST]))))


def reports(sentence: str, language: Language) -> bool:
    """True for a sentence that, in this language, reports what somebody else says."""
    return bool(language.reports.search(simplified(one_spaced(sentence[:LONGEST]))))


def clauses(sentence: str, language: Language) -> list[str]:
    """The parts of a sentence that may state something by themselves, without openers such as "by the way"."""
    opened = language.openers.sub("", sentence, count=1) if language.openers.match(sentence) else sentence
    return [part.strip(" ,，;") for part in language.joints.split(opened)]
