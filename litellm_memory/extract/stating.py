"""What of a message is worth remembering, where no pattern knows its sentence: a net reads it clause by clause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Final

from litellm_memory.extract.changes import change_in
from litellm_memory.extract.clauses import is_question, reports, states_nothing
from litellm_memory.extract.languages import languages
from litellm_memory.meaning import available, worth
from litellm_memory.text.chinese import simplified
from litellm_memory.text.parts import JOINING, Part, from_to, parts_of
from litellm_memory.text.who import SPEAKER
from litellm_memory.text.words import words

STATED: Final = 0.6
"""Probability from which a clause is worth remembering: by folds over written messages in five languages 94 % of these
are, and 80 % of what is are found (docs/decisions/facts.md)."""
ASIDE: Final = 0.3
"""Probability below which a clause at the edge of a sentence that is worth remembering is left out."""
ASKED: Final = 0.05
"""Probability below which a clause behind what a pattern found is left out: it asks for something."""
LONGEST: Final = 300
"""Characters of a sentence that is read: nobody states one thing in a longer one."""
MOST_SENTENCES: Final = 24
"""Sentences of a message that are read: whoever says more at once pastes or lists."""
COVERED: Final = 0.5
"""Share of a clause's words in what a pattern found from which it is no other statement."""


def stated_in(sentences: Sequence[str], known: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """What is worth remembering of these sentences, each with its sentence; nothing where no net is.

    ``known``: what patterns found in a sentence; of such a one, those clauses are read that are in none of it.
    """
    if not available():
        return []
    likely = likely_of(to_read(sentences))
    return [
        (text, sentence)
        for sentence in _bounded(sentences)
        for text in (_beside(sentence, known[sentence], likely) if sentence in known else _stated(sentence, likely))
        if not any(states_nothing(text, language) or reports(text, language) for language in languages())
    ]


def without_request(text: str) -> str:
    """A statement without what is asked for behind it; itself where the rest would not be worth remembering."""
    parts = parts_of(text) if available() and len(text) <= LONGEST else ()
    likely = likely_of(part.text for part in parts)
    stays = [part.is_short or part.leans or likely[part.text] >= ASKED or change_in(part.text) for part in parts]
    rest = from_to(text, parts[: max(number for number, kept in enumerate(stays) if kept) + 1]) if any(stays) else text
    return rest if rest != text and likely_of([rest])[rest] >= STATED else text


def to_read(sentences: Iterable[str]) -> list[str]:
    """All that is judged of the sentences of a message: each of them, and its clauses; of a question, what asks not."""
    found: list[str] = []
    for sentence in _bounded(sentences):
        parts = [part.text for part in parts_of(sentence) if not part.is_short]
        found += [part for part in parts if not is_question(part)] if is_question(sentence) else [sentence, *parts]
    return found


def _bounded(sentences: Iterable[str]) -> list[str]:
    return [*islice((one for one in sentences if len(one) <= LONGEST), MOST_SENTENCES)]


def likely_of(texts: Iterable[str]) -> dict[str, float]:
    """How probably each text is worth remembering."""
    plain = {text: simplified(text) for text in texts}
    read = worth(plain.values())
    return {text: read[one] for text, one in plain.items()}


def _stated(sentence: str, likely: Mapping[str, float]) -> Iterator[str]:
    """The parts of a sentence that are worth remembering."""
    parts = parts_of(sentence)
    if likely.get(sentence, 0) < STATED or is_question(sentence):
        yield from _beside(sentence, (), likely)
    elif parts and (kept := _kept(parts, likely)):
        yield from _each(sentence, kept, likely)
    else:
        yield sentence


def _beside(sentence: str, found: Sequence[str], likely: Mapping[str, float]) -> Iterator[str]:
    """Those clauses of a sentence that are worth remembering and in none of what was ``found``."""
    said = frozenset(word for text in found for word in words(text))

    def is_worth(part: Part) -> bool:
        if likely.get(part.text, 0) < STATED or is_question(part.text):
            return False
        new = frozenset(words(part.text))
        return len(new & said) < COVERED * len(new)

    for is_told, run in groupby(parts_of(sentence), key=is_worth):
        if is_told:
            yield from _each(sentence, [*run], likely)


def _kept(parts: Sequence[Part], likely: Mapping[str, float]) -> Sequence[Part]:
    """These parts without those at the edges that are not worth remembering; none where none is.

    A few words before the rest may be its subject; a few words behind it are a tag, unless they say what is over.
    """
    told = [
        number
        for number, part in enumerate(parts)
        if likely.get(part.text, 0) >= ASIDE or change_in(part.text) is not None or part.leans
    ]
    if not told:
        return ()
    begin = next(number for number, part in enumerate(parts) if part.is_short or number == told[0])
    return parts[begin : told[-1] + 1]


def _each(sentence: str, parts: Sequence[Part], likely: Mapping[str, float]) -> Iterator[str]:
    """The statements that these parts of a sentence make: one that says whom it is about stands for itself."""
    begin = 0
    for number, part in enumerate(parts):
        before = any(likely.get(one.text, 0) >= STATED for one in parts[begin:number])
        if before and likely.get(part.text, 0) >= STATED and SPEAKER.match(JOINING.sub("", part.text, count=1)):
            yield from_to(sentence, parts[begin:number])
            begin = number
    yield from_to(sentence, parts[begin:])
