"""The person's own message as an episode, together with the reply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import regex

from litellm_memory.extract.languages import languages
from litellm_memory.models import Exchange
from litellm_memory.text.sentences import sentences
from litellm_memory.text.words import words

LONGEST = 4000
"""Characters. A longer message is a paste (a log, a file, a dump); patterns find what it states."""
LONGEST_REPLY = 2000
"""Characters. A longer reply is not kept."""
FEWEST_WORDS = 3
"""Words. A shorter message is not worth an episode."""

# File names and line numbers are no statement, however many words they consist of.
_NAMED = regex.compile(
    r"(?<![\w.~-])[\w.~-]*/[\w./~-]+|(?<![\w-])[\w-]+\.[a-z]{1,4}\b|(?i:line|zeile|ligne|línea)s?\s\d+"
)
_SIGNS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]")


@dataclass(frozen=True, slots=True)
class Episode:
    """What a person said, and the answer to it if that is short enough to be kept whole."""

    text: str
    reply: str | None


def episode_of(exchange: Exchange, prose: str) -> Episode | None:
    """The episode of an exchange with this ``prose``; None when that is too long to be a person's own words.

    A message in which something was pasted is kept without the paste.
    """
    text = exchange.text.strip()
    squeezed = "".join(prose.split())
    kept = text if squeezed == "".join(text.split()) else f"{prose.strip()} […]"
    if len(kept) > LONGEST:
        return None
    reply = exchange.reply.text.strip() if exchange.reply else ""
    return Episode(kept, reply if 0 < len(reply) <= LONGEST_REPLY else None)


def prose_says_enough(prose: str) -> bool:
    """True when a text has enough words besides chatter and bare commands."""
    return says_enough(sentences(prose))


def says_enough(sentences: Iterable[str]) -> bool:
    """True when these sentences have enough words besides chatter and bare commands."""
    said = {word for sentence in sentences for word in words(_NAMED.sub(" ", sentence))} - _small()
    # Chinese words are indexed as overlapping pairs of characters: a word makes two or three of them.
    unspaced = sum(1 for word in said if _SIGNS.match(word))
    return len(said) - unspaced + unspaced / 4 >= FEWEST_WORDS


@cache
def _small() -> frozenset[str]:
    return frozenset().union(*(language.small for language in languages()))
