"""What a sentence does in the languages that there are files for: asks, doubts, reports, or states clause by clause."""

from __future__ import annotations

from litellm_memory.extract.languages import Language, languages
from litellm_memory.text.sentences import bare, ends_in_question_mark

_ENDS = (".", "!", "?", "…", "。", "！", "？", ";")
MOST_WORDS_OF_A_NAME = 5
LONGEST_NAME = 40
"""Characters."""


def is_question(sentence: str) -> bool:
    """True for a sentence that asks: it ends with a question mark, or begins as questions do and has no full stop."""
    plain = bare(sentence)
    return ends_in_question_mark(plain) or any(language.asks.match(plain) for language in languages())


def states_nothing(sentence: str, language: Language) -> bool:
    """True for a sentence that, in this language, supposes or doubts."""
    return bool(language.unsure.search(sentence))


def reports(sentence: str, language: Language) -> bool:
    """True for a sentence that, in this language, reports what somebody else says."""
    return bool(language.reports.search(sentence))


def frames_a_letter(line: str) -> bool:
    """True for a salutation or a signature: a few words that no full stop ends."""
    return not line.endswith(_ENDS) and len(line.split()) <= MOST_WORDS_OF_A_NAME and len(line) <= LONGEST_NAME


def clauses(sentence: str, language: Language) -> list[str]:
    """The parts of a sentence that may state something by themselves, without the words that only open them."""
    opened = language.openers.sub("", sentence, count=1) if language.openers.match(sentence) else sentence
    return [part.strip(" ,，;") for part in language.joints.split(opened)]
