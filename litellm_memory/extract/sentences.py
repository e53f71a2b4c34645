"""Prose to sentences, and what kind of sentence one is."""

from __future__ import annotations

import re

from litellm_memory.extract.languages import Language, languages

_SHORT = "".join(
    rf"(?<!\b{short}\.)" for short in ("Dr", "Mr", "Sr", "Mrs", "Dra", "bzw", "vgl", r"e\.g", r"i\.e", r"z\.B")
)
# A mark that ends a sentence, the space after it, and something that can begin one; or a line's end.
_END = re.compile(rf"(?<![\s.][A-Z]\.){_SHORT}(?<=[.!?…])[\"')\]”»]*\s+(?=\S)|(?<=[。！？])|\n+")
_ENDS = (".", "!", "?", "…", "。", "！", "？", ";")
MOST_WORDS_OF_A_NAME = 5
LONGEST_NAME = 40
_MONTH = re.compile(r"(?<=\d\.) (?=Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)")
SPEECH = re.compile(r"\"[^\"\n]{3,}\"|“[^”\n]{3,}”|„[^“”\n]{3,}[“”]|«[^»\n]{3,}»|「[^」\n]{3,}」")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+")
_HELD = {mark: chr(0xE000 + number) for number, mark in enumerate(".!?…。！？ ")}
_RELEASED = str.maketrans({held: mark for mark, held in _HELD.items()})
_HOLD = str.maketrans(_HELD)


def sentences(prose: str) -> list[str]:
    """The sentences of ``prose`` in order, without list marks. What stands in quotation marks is never split."""
    held = _MONTH.sub(_HELD[" "], SPEECH.sub(lambda speech: speech.group().translate(_HOLD), prose))
    parts = (_BULLET.sub("", part.translate(_RELEASED)).strip() for part in _END.split(held))
    return [part for part in parts if part]


def is_question(sentence: str) -> bool:
    """True for a sentence that asks: it ends with a question mark, or begins as questions do and has no full stop."""
    bare = sentence.rstrip(" \"')”»")
    return bare.endswith(("?", "？", "؟")) or any(language.asks.match(bare) for language in languages())


def states_nothing(sentence: str, language: Language) -> bool:
    """True for a sentence that, in this language, supposes or doubts."""
    return bool(language.unsure.search(sentence))


def reports(sentence: str, language: Language) -> bool:
    """True for a sentence that, in this language, tells what somebody else says."""
    return bool(language.reports.search(sentence))


def frames_a_letter(line: str) -> bool:
    """True for a salutation or a signature: a few words that no full stop ends."""
    return not line.endswith(_ENDS) and len(line.split()) <= MOST_WORDS_OF_A_NAME and len(line) <= LONGEST_NAME


def clauses(sentence: str, language: Language) -> list[str]:
    """The parts of a sentence that may state something by themselves, without the words that only open them."""
    bare = language.openers.sub("", sentence, count=1) if language.openers.match(sentence) else sentence
    return [part.strip(" ,，;") for part in language.joints.split(bare)]
