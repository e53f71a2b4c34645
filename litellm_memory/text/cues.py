"""Signals of a text besides its words: how much it states, whether it asks, whether it names a time; and its parts.

The cues are English, where the measurements are; in other languages they are silent, and a memory is neither helped nor
held back by them.
"""

from __future__ import annotations

import math
import re

from litellm_memory.text.sentences import ends_in_question_mark, pieces

FEWEST_WORDS = 4
"""A shorter sentence greets, thanks or cheers: its vector would be near to every greeting."""
MOST_PARTS = 16
"""Sentences of one memory that get a vector of their own; a long paste must not cost a second of the model."""
LONG_WORDS = 40
"""From so many words on a message speaks for itself: what stands beside it says little about it."""

# A label at the head of a note ("Anna: ", "Decision: ") belongs to each of its sentences, as a heading does.
_LABEL = re.compile(r"[^\W\d_][^\n.!?]{0,60}?:\s+(?=\S)")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_YOU = frozenset("you your you're you've you'll you'd yours yourself".split())
_TIME = re.compile(
    r"""\b(?: yesterday | today | tonight | tomorrow | ago | recently | soon | since
      | (?:last|next|this|past) \s (?:week|weekend|month|year|night|morning|summer|winter|spring|fall|autumn)
      | (?:last|next|this|past|on) \s (?:mon|tues|wednes|thurs|fri|satur|sun)day
      | weekends? | weeks? | months? | years? | days? | (?:mon|tues|wednes|thurs|fri|satur|sun)day
      | january | february | march | april | may | june | july | august | september | october | november | december
      | summer | winter | autumn | christmas | birthday | (?:19|20)\d\d | \d{1,2}:\d\d
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_ASKS_TIME = re.compile(r"\bwhen\b|\bhow\s+long\b|\b(?:what|which)\s+(?:day|date|month|year|time)\b", re.IGNORECASE)


def asks(text: str) -> bool:
    """True when ``text`` ends by asking something."""
    return ends_in_question_mark(text.split(" [")[0])


def asks_time(question: str) -> bool:
    """True when the answer to ``question`` is a time."""
    return bool(_ASKS_TIME.search(question))


def tells_time(text: str) -> bool:
    """True when ``text`` says when something is, was or will be."""
    return bool(_TIME.search(text))


def is_long(text: str) -> bool:
    """True when ``text`` has too many words for what stands beside it to explain it."""
    return len(text.split()) >= LONG_WORDS


def plain(text: str) -> float:
    """The share of the words of ``text`` that are written in English letters alone; 1 for no words."""
    said = [word.isascii() for word in _WORD.findall(text.replace("’", "'"))]
    return sum(said) / len(said) if said else 1.0


def statement(text: str) -> float:
    """How much ``text`` states, from about -1 to 0: questions and talk about the listener are seldom what is asked for.

    The three weights began as those of a logistic regression over turns and questions of dialogues, as shares of the
    weight that vectors and words have together in it.
    """
    _, body = _labelled(text)
    said = [word.casefold().replace("’", "'") for word in _WORD.findall(body)]
    if not said:
        return 0.0
    questions = sum(len(_WORD.findall(part)) for part in pieces(body) if ends_in_question_mark(part))
    length = min(1.0, math.log(len(said)) / math.log(LONG_WORDS))
    return 0.25 * (length - 0.9) - 0.24 * questions / len(said) - 0.5 * sum(word in _YOU for word in said) / len(said)


def passages(text: str) -> list[str]:
    """The texts whose vectors stand for ``text``: what it states as one, then its sentences; itself when it is one.

    A vector of a whole message is a blur of greeting, statement and question, and is near to little that is asked.
    """
    label, body = _labelled(text)
    told = [part for part in pieces(body) if len(part.split()) >= FEWEST_WORDS]
    if len(told) < 2:
        return [text]
    stated = [part for part in told if not ends_in_question_mark(part)]
    return [label + " ".join(stated) if stated else text, *(label + part for part in told[:MOST_PARTS])]


def _labelled(text: str) -> tuple[str, str]:
    label = _LABEL.match(text)
    return (label.group(), text[label.end() :]) if label else ("", text)
