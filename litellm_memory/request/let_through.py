"""What guardrails let through of a request: the person's words as they were sent on, and what was masked in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from litellm_memory.models import Body
from litellm_memory.request.marks import own_words_in, words_of
from litellm_memory.request.outcome import Outcome
from litellm_memory.wire.content import CARRIERS
from litellm_memory.wire.taken_out import BlocksOut, without_blocks

_PIECES = re.compile(r"\w+|\s+|[^\w\s]")
TOLD = (*CARRIERS, "system", "instructions", "systemInstruction")
"""The keys under which the formats carry what a model is told."""
SHORTEST = 3
"""Letters of a masked word that is looked for alone in an answer: shorter ones are parts of other words."""


@dataclass(frozen=True, slots=True)
class LetThrough:
    """The person's own words as they were sent on, and what was masked anywhere in the request, by what was there."""

    words: str
    masks: Mapping[str, str]

    def masked(self, reply: str) -> str:
        """``reply`` with what was masked on the way out masked again, where a guardrail has put it back."""
        if not self.masks:
            return reply
        longest_first = sorted(self.masks, key=len, reverse=True)
        found = re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in longest_first), re.IGNORECASE)
        known = {one.lower(): mask for one, mask in self.masks.items()}
        return found.sub(lambda match: known.get(match[0].lower(), ""), reply)


def let_through(outcome: Outcome, sent: Body, original: Body | None) -> LetThrough | None:
    """What was let through of a request whose body was ``sent``; None when it cannot be told.

    ``original``: the client's own body, where a guardrail may have changed it before memory saw it.
    """
    reading = outcome.reading
    if reading is None:
        return None
    placed = outcome.injection.placed
    bare = without_blocks(sent, placed)
    bare = BlocksOut(block for _, block in placed)(sent) if bare is None else bare
    turn = reading.format.read(bare)
    own = own_words_in(turn) if turn is not None else []
    if len(own) != len(reading.said):
        return None
    words = words_of(own[-1]) if own else ""
    before = original or reading.request.body
    return LetThrough(words, {gone: mask for key in TOLD for gone, mask in _masks(before.get(key), bare.get(key))})


def _masks(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """What stands in ``after`` for what stood in ``before``, two bodies of the same shape."""
    if isinstance(before, str) and isinstance(after, str):
        if before != after:
            yield from _replaced(before, after)
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() & after.keys():
            yield from _masks(before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list):
        for one, other in zip(before, after, strict=False):
            yield from _masks(one, other)


def _replaced(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Each piece of ``before`` that another stands for in ``after``, and each of its words."""
    old, new = _PIECES.findall(before), _PIECES.findall(after)
    left = set(new)
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, mask = "".join(old[i1:i2]).strip(), "".join(new[j1:j2]).strip()
        if kind in ("replace", "delete") and gone:
            yield gone, mask
            yield from ((word, mask) for word in old[i1:i2] if len(word) >= SHORTEST and word not in left)
