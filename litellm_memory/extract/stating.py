"""What of a message is worth remembering, where no pattern knows its sentence: a net reads it clause by clause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from litellm_memory.extract.clauses import is_question, reports, states_nothing
from litellm_memory.extract.languages import languages
from litellm_memory.meaning import MOST_CHARACTERS, available, facts, vectors
from litellm_memory.text.chinese import simplified
from litellm_memory.text.words import words

STATED: Final = 0.85
"""Probability from which a clause is worth remembering: by folds over written messages in five languages 91 % of these
are, and 80 % of what is are found (docs/decisions/facts.md)."""
ASIDE: Final = 0.3
"""Probability below which a clause at the edge of a sentence that is worth remembering is left out."""
LONGEST: Final = 300
"""Characters of a sentence that is read: nobody states one thing in a longer one."""
FEWEST_WORDS: Final = 3
"""Words of a clause that says something by itself."""

_JOINT: Final = regex.compile(
    r"(?<=[,;:，；：、—–])\s*|\s+(?=[—–-]\s)|\s+(?=(?:and|but|so|und|aber|et|mais|donc|y|pero)\s)"
)
"""Where a sentence may be cut: what is worth it is judged afterwards."""
_EDGE: Final = " \t,;:，；：、—–-"


def stated_in(sentences: Sequence[str]) -> list[tuple[str, str]]:
    """What is worth remembering of these sentences, each with its sentence; nothing where no net is."""
    if not available():
        return []
    read = {sentence: _clauses(sentence) for sentence in sentences if len(sentence) <= LONGEST}
    likely = _Likely(to_read(sentences))
    return [
        (text, sentence)
        for sentence, parts in read.items()
        for text in _stated(sentence, parts, likely)
        if not any(states_nothing(text, language) or reports(text, language) for language in languages())
    ]


def to_read(sentences: Iterable[str]) -> list[str]:
    """All that is judged of these sentences: each of them, and its clauses."""
    return [text for one in sentences if len(one) <= LONGEST for text in (one, *_clauses(one))]


class _Likely:
    """The probabilities of texts, which are read at once."""

    def __init__(self, texts: Sequence[str]) -> None:
        wanted = [*dict.fromkeys(text for text in texts if text)]
        self._of: dict[str, float] = {}
        if wanted:
            read: NDArray[np.float32] = vectors([simplified(text[:MOST_CHARACTERS]) for text in wanted])
            self._of = dict(zip(wanted, facts().probabilities(read)[:, 0].tolist(), strict=True))

    def __call__(self, text: str) -> float:
        return self._of.get(text, 0.0)


def _clauses(sentence: str) -> list[str]:
    return [part.strip() for part in _JOINT.split(sentence) if part.strip(_EDGE)]


def _stated(sentence: str, parts: Sequence[str], likely: _Likely) -> Iterator[str]:
    """The parts of a sentence that are worth remembering."""
    if likely(sentence) >= STATED and not is_question(sentence):
        yield _without_asides(sentence, parts, likely)
    elif len(parts) > 1:
        for worth, some in groupby(parts, key=lambda part: likely(part) >= STATED and not is_question(part)):
            run = _between(sentence, [*some])
            if worth and len(words(run)) >= FEWEST_WORDS:
                yield run


def _without_asides(sentence: str, parts: Sequence[str], likely: _Likely) -> str:
    """The sentence without what is said at its edges and is not worth it."""
    kept = [number for number, part in enumerate(parts) if likely(part) >= ASIDE or len(words(part)) < FEWEST_WORDS]
    return _between(sentence, parts[kept[0] : kept[-1] + 1]) if kept else sentence


def _between(sentence: str, parts: Sequence[str]) -> str:
    """The text of a sentence from the first of these parts to the last."""
    begin = sentence.find(parts[0])
    end = sentence.find(parts[-1], begin) + len(parts[-1])
    return sentence[begin:end].strip(_EDGE)
