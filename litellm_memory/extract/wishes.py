"""Wishes about memory itself: to forget something, or that something known is no longer true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from litellm_memory.extract.languages import languages
from litellm_memory.extract.sentences import is_question, states_nothing
from litellm_memory.text.words import words

MOST = 3
"""A wish that fits more memories than these is too vague to act on."""


@dataclass(frozen=True, slots=True)
class Wish:
    """``forget``: what is known of ``what`` goes for good. ``end``: it is kept as history and no longer holds."""

    action: Literal["forget", "end"]
    what: str


def wish_in(sentence: str) -> Wish | None:
    """The wish that a sentence utters."""
    plain = sentence.replace("’", "'")
    if is_question(plain):
        return None
    for language in languages():
        bare = language.openers.sub("", plain, count=1) if language.openers.match(plain) else plain
        if states_nothing(bare, language):
            return None
        for action, patterns in (("forget", language.forget), ("end", language.ends)):
            match = next((match for pattern in patterns if (match := pattern.fullmatch(bare))), None)
            if match is not None and words(match["what"]):
                return Wish("forget" if action == "forget" else "end", match["what"].rstrip(" .!。！"))
    return None


def meant(wish: Wish, texts: Iterable[str]) -> list[str]:
    """Those texts that hold every word of what is wished for; none when that is too vague."""
    wanted = set(words(wish.what))
    fitting = [text for text in texts if wanted <= set(words(text))]
    return fitting if len(fitting) <= MOST else []
