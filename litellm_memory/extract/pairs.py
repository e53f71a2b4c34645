"""Whether one text takes the place of another, by what both mean and by the words that they share.

The rules of `compare` know the shapes of sentences. Most people say neither what was true nor that it is over; a net
then judges the new text beside each of the known ones that are nearest to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litellm_memory.extract.apart import changes_nothing, is_apart
from litellm_memory.extract.changes import ARTICLES, CACHED, among, change_in, content, ends, linking
from litellm_memory.extract.clauses import is_question, reports, states_nothing
from litellm_memory.extract.languages import languages
from litellm_memory.extract.pastes import own_prose
from litellm_memory.extract.stating import likely_of, to_read
from litellm_memory.meaning import MOST_CHARACTERS, available, log_odds, nets, over, placed, vectors
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import SPEECH, sentences
from litellm_memory.text.who import ADDS, ONCE, OTHERS, SPEAKER
from litellm_memory.text.words import words

Floats = NDArray[np.float32]

SURE, SUREST, CROWDED_FROM, CROWDING = 0.64, 0.74, 10, 0.1
"""Probability from which the new text takes a known one's place where few are known, and where many are: each factor of
e more brings some that are near by chance (docs/decisions/ordinary-days.md)."""
LIKE_AN_UPDATE: Final = 1.4
"""The odds' logarithm, four to one, from which a pair that is an update by itself is judged among all that is said."""
LIKELY: Final = 0.4
"""Probability from which it also takes the place of what was said in one message with such a known text."""
LONGEST_NEW: Final = 200
"""Characters of a new text that is judged: a longer one asks for something, and the net has seen no such pair."""
NEAREST: Final = 6
"""Known texts that a new one is judged beside: more would only add chances to be wrong."""
A_WORD, LEAST_NEAR = 0.2, 0.3
"""A shared word counts as much as this cosine, and less than LEAST_NEAR in all is about something else."""
MOST_KNOWN: Final = 400
"""Known texts that are looked at, the newest: each is read once, 1.3 ms."""
_NUMBER: Final = re.compile(r"\d+")
_QUOTED: Final = re.compile(r"[\"“„«「:：]")
_OF_KNOWN: Final = (4, 7, 10, 11, 12)
"""Those features of a text that tell something of a known one too."""


def read_together(messages: Sequence[str]) -> None:
    """Reads what will be judged of these messages at once, which costs a third of one after another."""
    if available():
        prose = [own_prose(text) for text in messages]
        judged = [text for text in prose if text.strip() and len(text) <= MOST_CHARACTERS]
        judged += [part for text in prose for part in to_read(sentences(text))]
        vectors([simplified(text) for text in judged])


def sure_among(known: int) -> float:
    """From which probability a text takes the place of one of so many known ones."""
    return min(SUREST, SURE + CROWDING * math.log(max(1, known / CROWDED_FROM)))


def replaced(new: str, known: Sequence[str]) -> list[float]:
    """For each known text, oldest first, the probability that the ``new`` one takes its place; 0 for one not judged."""
    found = [0.0] * len(known)
    near, rows = among_others(new, known) if known and available() else ((), ())
    for one, row in zip(near, rows, strict=True):
        if row[0] >= LIKE_AN_UPDATE:
            found[one] = float(over().probabilities(row[None])[0, 0])
    return found


def among_others(new: str, known: Sequence[str]) -> tuple[Sequence[int], Sequence[Floats]]:
    """The positions of the known texts that are near the new one, the nearest first, and what tells whether it takes
    their place: how like an update it is, how much either text is worth remembering, how near they are, and which is
    nearest."""
    new = SPEECH.sub("…", new)  # what somebody else says, or is to be translated
    if len(new) > LONGEST_NEW or is_question(new) or changes_nothing(new) or _speaks_of_memory(new):
        return (), ()
    judged = [number for number, text in enumerate(known) if len(text) <= MOST_CHARACTERS][-MOST_KNOWN:]
    places = placed([simplified(text) for text in (new, *(known[number] for number in judged))])
    near = [one for one in _nearest(new, [known[n] for n in judged], places) if not is_apart(new, known[judged[one]])]
    pairs = [(known[judged[one]], new) for one in near]
    if not pairs:
        return (), ()
    rows = inputs(pairs, places[[1 + one for one in near]], places[[0] * len(near)])
    worth = ([_worth(text) for text, _ in pairs], [_worth(new)] * len(near))
    odds = [log_odds(np.asarray(one), least=1e-4) for one in (nets().pairs.probabilities(rows)[:, 0], *worth)]
    return [judged[one] for one in near], [*np.stack([*odds, rows[:, 0], np.arange(len(near)) == 0], axis=1)]


def _worth(text: str) -> float:
    return max(likely_of(to_read([text])).values(), default=0.0)


def _speaks_of_memory(text: str) -> bool:
    """True for a reminder or a wish ("don't forget that I'm vegan"): it changes nothing that is known."""
    plain = simplified(text.replace("’", "'"))
    return any(language.forgets.search(plain) for language in languages())


def _nearest(new: str, known: Sequence[str], places: Floats) -> list[int]:
    """The known texts that are nearest to the new one by meaning and shared words, if near at all; nearest first."""
    there = [_content_words(text) for text in known]
    # Of all words at once: most of them are in many of the texts.
    said = among(frozenset().union(*there), _content_words(new))
    shared = [len(said & some) for some in there]
    scores = _cosines(places[1:], places[:1]) + A_WORD * np.minimum(shared, 2)
    return [int(one) for one in np.argsort(-scores)[:NEAREST] if scores[one] >= LEAST_NEAR]


def inputs(pairs: Sequence[tuple[str, str]], known: Floats, new: Floats) -> Floats:
    """What the net reads of each pair of a known text and a new one, whose places are the rows of the two others."""
    if not pairs:
        return np.empty((0, 0), np.float32)
    signs = np.array(
        [[*_signs(then), *(_signs(one)[part] for part in _OF_KNOWN), *_words(one, then)] for one, then in pairs]
    )
    return np.hstack(
        [_cosines(known, new)[:, None], signs, known * new, np.abs(known - new), new, known], dtype=np.float32
    )


def _cosines(one: Floats, other: Floats) -> Floats:
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(length, 1e-6), np.float32)


@lru_cache(maxsize=CACHED)
def _signs(text: str) -> tuple[float, ...]:
    """What a text shows by itself: a change, a denial, a doubt, a question, somebody else's words, numbers, length."""
    plain = simplified(text.replace("’", "'"))
    tables = languages()
    return (
        change_in(text) is not None,
        any(language.ended.search(plain) for language in tables),
        any(language.over.search(plain) for language in tables),
        any(language.passing.search(plain) for language in tables),
        any(language.negations.search(plain) for language in tables),
        any(states_nothing(text, language) for language in tables),
        any(reports(text, language) for language in tables),
        is_question(text),
        "?" in plain or "？" in plain,
        _QUOTED.search(plain) is not None,
        _NUMBER.search(plain) is not None,
        min(len(words(text)), 30) / 10,
        SPEAKER.search(plain) is not None,
        ADDS.search(plain) is not None,
        ONCE.search(plain) is not None,
        OTHERS.search(plain) is not None,
    )


@lru_cache(maxsize=CACHED)
def _content_words(text: str) -> frozenset[str]:
    return frozenset(words(text)) - ARTICLES - linking()


def _words(known: str, new: str) -> tuple[float, ...]:
    """What two texts have in common: words, rare words, numbers; and what the new one says to be over of the known."""
    before, later, change = _content_words(known), _content_words(new), change_in(new)
    shared, back = among(before, later), among(later, before)
    numbers, others = set(_NUMBER.findall(known)), set(_NUMBER.findall(new))
    return (
        len(shared) / max(1, len(before)),
        len(back) / max(1, len(later)),
        min(len(shared), 4) / 2,
        sum(len(word) >= 6 or ord(max(word)) > 0x3000 for word in shared) / 2,
        bool(numbers) and bool(others) and numbers != others,
        bool(numbers & others),
        change is not None and ends(change, content(known)),
        change is not None and bool(among(change.over, before)),
        bool(_possessed(new) - before),
    )


@lru_cache(maxsize=CACHED)
def _possessed(text: str) -> frozenset[str]:
    """The words for what is the person's: "my sister"."""
    plain = simplified(text.replace("’", "'"))
    found = (match["what"] for language in languages() for match in language.possessed.finditer(plain))
    return frozenset(word for what in found for word in words(what))
