"""Features of a text besides its words: how much it states, whether it asks or names a time; and its passages.

The cues are English, as are the texts they were measured on; in other languages they are neutral.
"""

from __future__ import annotations

import math
import re

from litellm_memory.text.sentences import ends_in_question_mark, pieces

MIN_PASSAGE_WORDS = 4
"""A shorter sentence is a greeting or thanks: its vector would be near to every greeting."""
MAX_PASSAGES = 16
"""At most this many sentences of one memory get their own vector; a long paste must not take the model a second."""
LONG_WORDS = 40
"""From this many words, a message can be understood without its neighbours."""

# A label at the start of a note ("Anna: ", "Decision: ") applies to each of its sentences, as a heading does.
_LABEL = re.compile(r"[^\W\d_][^\n.!?]{0,60}?:\s+(?=\S)")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_YOU = frozenset("you your you're you've you'll you'd yours yourself".split())
_REQUEST = re.compile(
    r"""\b(?: (?:can|could|would|will) \s you | (?:can|could|may|should) \s (?:i|we) | help \s me
      | how \s (?:do|can|should|would) \s (?:i|we) )\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""How a request to an assistant begins: what stands before it in a sentence is told, not asked."""
_ASKING_YOU = re.compile(r"\b(?:can|could|would|will)\s+you\b", re.IGNORECASE)
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
    """True when ``text`` ends with a question."""
    return ends_in_question_mark(text.split(" [")[0])


def asks_time(question: str) -> bool:
    """True when the answer to ``question`` is a time."""
    return bool(_ASKS_TIME.search(question))


def tells_time(text: str) -> bool:
    """True when ``text`` says when something is, was or will be."""
    return bool(_TIME.search(text))


def is_long(text: str) -> bool:
    """True when ``text`` has enough words to be understood without its neighbours."""
    return len(text.split()) >= LONG_WORDS


def excess_length(text: str) -> float:
    """By how many factors of e ``text`` has more words than LONG_WORDS; 0 for a shorter one."""
    return max(0.0, math.log(max(1, len(text.split())) / LONG_WORDS))


def plain(text: str) -> float:
    """The share of the words of ``text`` that are pure ASCII; 1 for no words."""
    said = [word.isascii() for word in _WORD.findall(text.replace("’", "'"))]
    return sum(said) / len(said) if said else 1.0


def statement(text: str) -> float:
    """How much ``text`` states, from about -1 to 0: questions and talk about the listener are seldom what is asked for.

    The three weights come from a logistic regression over dialogue turns and questions, relative to the combined
    weight of vectors and words in it.
    """
    _, body = _labelled(text)
    said = [word.casefold().replace("’", "'") for word in _WORD.findall(body)]
    if not said:
        return 0.0
    questions = sum(len(_WORD.findall(_asked(part))) for part in pieces(body) if ends_in_question_mark(part))
    length = min(1.0, math.log(len(said)) / math.log(LONG_WORDS))
    return 0.25 * (length - 0.9) - 0.24 * questions / len(said) - 0.5 * _listener(body) / len(said)


def talks_to_somebody(text: str) -> bool:
    """True when ``text`` talks about the listener and does not only ask for a service ("Can you ...?")."""
    return _listener(_labelled(text)[1]) > 0


def _asked(sentence: str) -> str:
    """The part of a question that asks."""
    request = _REQUEST.search(sentence)
    return sentence[request.start() :] if request else sentence


def _listener(body: str) -> int:
    """How many words mean the listener, without those of requests."""
    said = (word.casefold().replace("’", "'") for word in _WORD.findall(body))
    return max(0, sum(word in _YOU for word in said) - len(_ASKING_YOU.findall(body)))


def passages(text: str) -> list[str]:
    """The texts to embed for ``text``: its statements joined, then each sentence; only itself when it is one sentence.

    The vector of a whole message averages greeting, statement and question, and is near to few queries.
    """
    label, body = _labelled(text)
    parts = [part for part in pieces(body) if len(part.split()) >= MIN_PASSAGE_WORDS]
    if len(parts) < 2:
        return [text]
    stated = [part for part in parts if not ends_in_question_mark(part)]
    return [label + " ".join(stated) if stated else text, *(label + part for part in parts[:MAX_PASSAGES])]


def _labelled(text: str) -> tuple[str, str]:
    label = _LABEL.match(text)
    return (label.group(), text[label.end() :]) if label else ("", text)
