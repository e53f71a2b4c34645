"""What of a message is worth remembering, where no pattern knows its sentence: a net reads it clause by clause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from litellm_memory.extract.changes import change_in
from litellm_memory.extract.clauses import is_question, reports, states_nothing
from litellm_memory.extract.languages import languages
from litellm_memory.meaning import MOST_CHARACTERS, available, facts, vectors
from litellm_memory.text.chinese import simplified
from litellm_memory.text.words import words

STATED: Final = 0.85
"""Probability from which a clause is worth remembering: by folds over written messages in five languages 92 % of these
are, and 82 % of what is are found (docs/decisions/facts.md)."""
ASIDE: Final = 0.3
"""Probability below which a clause at the edge of a sentence that is worth remembering is left out."""
LONGEST: Final = 300
"""Characters of a sentence that is read: nobody states one thing in a longer one."""
FEWEST_WORDS: Final = 3
"""Words of a clause that says something by itself."""
MOST_SENTENCES, MOST_CLAUSES = 24, 8
"""Sentences of a message, and clauses of one, that are read: whoever says more at once pastes or lists."""

_JOINT: Final = regex.compile(
    r"(?<=[,;:，；：、—–])\s*|(?<!\s)\s+(?=[—–-]\s|(?:and|but|so|und|aber|et|mais|donc|y|pero)\s)"
)
"""Where a sentence may be cut: what is worth it is judged afterwards."""
_EDGE: Final = " \t,;:，；：、—–-"


@dataclass(frozen=True, slots=True)
class _Clause:
    """A part of a sentence, and where it stands there."""

    text: str
    begin: int
    end: int
    is_short: bool
    """It has too few words to say something by itself."""


def stated_in(sentences: Sequence[str]) -> list[tuple[str, str]]:
    """What is worth remembering of these sentences, each with its sentence; nothing where no net is."""
    if not available():
        return []
    likely = _Likely(to_read(sentences))
    return [
        (text, sentence)
        for sentence in _bounded(sentences)
        for text in _stated(sentence, likely)
        if not any(states_nothing(text, language) or reports(text, language) for language in languages())
    ]


def to_read(sentences: Iterable[str]) -> list[str]:
    """All that is judged of the sentences of a message: each of them, and its clauses; of a question, what asks not."""
    found: list[str] = []
    for sentence in _bounded(sentences):
        parts = [part.text for part in _clauses(sentence) if not part.is_short]
        found += [part for part in parts if not is_question(part)] if is_question(sentence) else [sentence, *parts]
    return found


def _bounded(sentences: Iterable[str]) -> list[str]:
    return [*islice((one for one in sentences if len(one) <= LONGEST), MOST_SENTENCES)]


class _Likely:
    """The probabilities of texts, which are read at once; 0 for any other."""

    def __init__(self, texts: Sequence[str]) -> None:
        wanted = [*dict.fromkeys(texts)]
        self._of: dict[str, float] = {}
        if wanted:
            read: NDArray[np.float32] = vectors([simplified(text[:MOST_CHARACTERS]) for text in wanted])
            self._of = dict(zip(wanted, facts().probabilities(read)[:, 0].tolist(), strict=True))

    def __call__(self, text: str) -> float:
        return self._of.get(text, 0.0)


@lru_cache(maxsize=4096)
def _clauses(sentence: str) -> tuple[_Clause, ...]:
    """The parts of a sentence; none of one that has very many."""
    cuts = [0, *(end for joint in _JOINT.finditer(sentence) for end in joint.span()), len(sentence)]
    parts = [
        _Clause(text, begin, end, len(words(text)) < FEWEST_WORDS)
        for begin, end in zip(cuts[::2], cuts[1::2], strict=True)
        if (text := sentence[begin:end]).strip(_EDGE)
    ]
    return tuple(parts) if 1 < len(parts) <= MOST_CLAUSES else ()


def _stated(sentence: str, likely: _Likely) -> Iterator[str]:
    """The parts of a sentence that are worth remembering."""
    clauses = _clauses(sentence)
    if likely(sentence) >= STATED and not is_question(sentence):
        yield _without_asides(sentence, clauses, likely)
        return
    for worth, run in groupby(clauses, key=lambda part: likely(part.text) >= STATED and not is_question(part.text)):
        if worth:
            yield _from_to(sentence, [*run])


def _without_asides(sentence: str, clauses: Sequence[_Clause], likely: _Likely) -> str:
    """The sentence without what is said at its edges and is not worth it.

    A few words before the rest may be its subject; a few words behind it are a tag, unless they say what is over.
    """
    worth = [n for n, part in enumerate(clauses) if likely(part.text) >= ASIDE or change_in(part.text) is not None]
    if not worth:
        return sentence
    begin = next(number for number, part in enumerate(clauses) if part.is_short or number == worth[0])
    kept = clauses[begin : worth[-1] + 1]
    return sentence if kept == clauses else _from_to(sentence, kept)


def _from_to(sentence: str, clauses: Sequence[_Clause]) -> str:
    """The text of a sentence from the first of these clauses to the last."""
    return sentence[clauses[0].begin : clauses[-1].end].strip(_EDGE)
