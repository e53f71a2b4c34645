"""Sentence boundaries and question marks, for all supported languages.

To learn from a text it is split carefully, into ``sentences``: abbreviations and quotations stay whole. To embed and
rank it, it is split simply, into ``pieces``: recall's weights and threshold were measured on those.
"""

from __future__ import annotations

import re
from typing import Final

_STOP: Final = r"(?<=[。！？])|\n+"
"""What always ends a sentence: full-width marks, which no space follows, and line breaks."""
_PIECE: Final = re.compile(rf"(?<=[.!?])\s+|{_STOP}")
_SHORT: Final = "".join(
    rf"(?<!\b{short}\.)" for short in ("Dr", "Mr", "Sr", "Mrs", "Dra", "bzw", "vgl", r"e\.g", r"i\.e", r"z\.B")
)
# A closing mark, the space after it, and anything that is not space. The mark is looked for first: few places have one.
_SENTENCE: Final = re.compile(rf"(?<=[.!?…])(?<![\s.][A-Z]\.){_SHORT}[\"')\]”»]*\s+(?=\S)|{_STOP}")
_MONTH: Final = re.compile(
    r"(?<=\d\.) (?=Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)"
)
SPEECH: Final = re.compile(r"\"[^\"\n]{3,}\"|“[^“”\n]{3,}”|„[^„“”\n]{3,}[“”]|«[^«»\n]{3,}»|「[^「」\n]{3,}」")
"""A quotation, with its marks. No opening mark is in it: else each of many that nothing closes is read to the end."""
_ENDS: Final = (".", "!", "?", "…", "。", "！", "？", ";")
MOST_WORDS_OF_A_NAME: Final = 5
"""A line of at most this many words without a full stop may be a salutation or a signature."""
LONGEST_NAME: Final = 40
"""Longest salutation or signature, in characters."""
_BULLET: Final = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+")
_HELD: Final = {mark: chr(0xE000 + number) for number, mark in enumerate(".!?…。！？ ")}
_RELEASED: Final = str.maketrans({held: mark for mark, held in _HELD.items()})
_HOLD: Final = str.maketrans(_HELD)


def sentences(prose: str) -> list[str]:
    """The sentences of ``prose`` in order, without list bullets, each blank one space. Quotations are never split."""
    held = _MONTH.sub(_HELD[" "], SPEECH.sub(lambda speech: speech.group().translate(_HOLD), prose))
    parts = (one_spaced(_BULLET.sub("", part.translate(_RELEASED))) for part in _SENTENCE.split(held))
    return [part for part in parts if part]


def one_spaced(text: str) -> str:
    """``text`` with one space for each blank: patterns with several blanks try every way to share out a long one."""
    return " ".join(text.split())


def pieces(text: str) -> list[str]:
    """``text`` split after every mark that may end a sentence, otherwise unchanged."""
    return [part for part in _PIECE.split(text) if part]


def bare(sentence: str) -> str:
    """A sentence without the spaces, quotation marks and brackets after its last mark."""
    return sentence.rstrip(" \t\n\"')”»")


def ends_in_question_mark(sentence: str) -> bool:
    """True for a sentence that ends in a question mark of any script."""
    return bare(sentence).endswith(("?", "？", "؟"))


def frames_a_letter(line: str) -> bool:
    """True for a salutation or a signature: a few words without a full stop."""
    return not line.endswith(_ENDS) and len(line.split()) <= MOST_WORDS_OF_A_NAME and len(line) <= LONGEST_NAME
