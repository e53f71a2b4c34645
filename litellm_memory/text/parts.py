"""The parts of a sentence that may say something by themselves, and where they stand in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

from litellm_memory.text.words import words

FEWEST_WORDS: Final = 3
"""Words of a part that says something by itself."""
MOST_PARTS: Final = 8
"""Parts of a sentence that are told apart: whoever says more at once pastes or lists."""

# Not within "15:30" or "https://".
_JOINT: Final = regex.compile(
    r"(?<=[,;:])(?:\s+|(?=\p{Han}))|(?<=[，；：、—–])\s*"
    r"|(?<!\s)\s+(?=[—–(-]\s?|(?:and|but|so|und|aber|et|mais|donc|y|pero)\s)|(?<=\))\s*(?=\w)|(?<!^)(?=（)|(?<=）)"
)
"""Where a sentence may be cut: what is worth it is judged afterwards."""
JOINING: Final = regex.compile(r"(?i)^(?:and|but|so|und|aber|et|mais|donc|y|pero)\s+")
"""A word before a part that joins it to the one before."""
_LEANING: Final = regex.compile(
    r"(?i)[(（]|(?:even (?:though|if)|although|though|because|unless|except|which|who|whose|where|obwohl|weil|außer"
    r"|auch wenn|solange|bien que|même si|parce que|puisque|sauf|qui|aunque|porque|salvo|excepto|mientras)\b"
    r"|因为|因為|虽然|雖然|除非|除了"
)
_EDGE: Final = " \t,;:，；：、—–-"
_BRACKETS: Final = {"(": ")", "（": "）"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sentence, and where it stands there."""

    text: str
    begin: int
    end: int
    is_short: bool
    """It has too few words to say something by itself."""
    leans: bool
    """It says more of what stands before it: it is in brackets, or begins with a word that subordinates it."""


@lru_cache(maxsize=4096)
def parts_of(sentence: str) -> tuple[Part, ...]:
    """The parts of a sentence in order; none of one that has one alone, or very many."""
    cuts = [0, *(end for joint in _JOINT.finditer(sentence) for end in joint.span()), len(sentence)]
    parts = [
        Part(text, begin, end, len(words(text)) < FEWEST_WORDS, begin > 0 and _LEANING.match(text) is not None)
        for begin, end in zip(cuts[::2], cuts[1::2], strict=True)
        if (text := sentence[begin:end]).strip(_EDGE)
    ]
    return tuple(parts) if 1 < len(parts) <= MOST_PARTS else ()


def from_to(sentence: str, parts: Sequence[Part]) -> str:
    """The text of a sentence from the first of these parts to the last, without what joins them to the rest."""
    text = JOINING.sub("", sentence[parts[0].begin : parts[-1].end].strip(_EDGE), count=1)
    closed = _BRACKETS.get(text[:1])
    return text[1:-1].strip() if closed and text.find(closed) == len(text) - 1 else text
