"""The person's own message as an episode, with the reply beside it."""

from __future__ import annotations

from dataclasses import dataclass

from litellm_memory.models import Exchange
from litellm_memory.words import words

LONGEST = 4000
"""Characters. A longer message is a paste: a log, a file, a dump; what it states is found by patterns."""
LONGEST_REPLY = 2000
FEWEST_WORDS = 3


@dataclass(frozen=True, slots=True)
class Episode:
    """What a person said, and the answer to it when that is short enough to be kept whole."""

    text: str
    reply: str | None


def episode_of(exchange: Exchange) -> Episode | None:
    """The episode of an exchange; None when the message says too little or is too long to be a person's own words."""
    text = exchange.text.strip()
    if len(text) > LONGEST or len(set(words(text))) < FEWEST_WORDS:
        return None
    reply = exchange.reply.text.strip() if exchange.reply else ""
    return Episode(text, reply if 0 < len(reply) <= LONGEST_REPLY else None)
