"""Detects memory poisoning: texts that try to steer the model, its tools or its rules are held for human review."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from litellm_memory.screening.meant import mean_harm
from litellm_memory.screening.reading import readings
from litellm_memory.screening.signs import Span, around, signs_in

__all__ = ["shown_aim", "suspicious", "why_each_to_review", "why_to_review"]

RULES: Final = "it speaks of the rules that the model follows"
BLOCK: Final = "it speaks in the signs by which memory or a model tells who says what"
TOOLS: Final = "it wants something done with tools, or behind somebody's back"
SECRETS: Final = "it wants something secret shown or sent away"
OTHERS: Final = "it speaks for other people, or swaps one for another"
TRUST: Final = "it wants a source or a seller to be preferred"
MEANING: Final = "it means much the same as what is written to steer an assistant"

LONGEST: Final = 20_000
"""Characters that are screened: a memory is shorter."""
SUBJECT_DISTANCE: Final = 14
"""In characters. A word this close to a verb is its subject: who does it ("we"), or a negation."""
NEGATION_DISTANCE: Final = 24
"""In characters. A prohibition ("never") covers what is this close to it, up to the next comma."""
_PARTED: Final = re.compile(r"[.!?]\s|[。！？；\n]")
_PAUSE: Final = re.compile(r"[,;:，；：、。.!?！？\n]")
_PARAGRAPH: Final = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Aim:
    """Signs that together indicate an attack: within ``near`` characters, in one sentence, in any order.

    The first sign is the rarest. An instruction about answers and work ("always run the tests before a commit") is no
    attack, so each aim needs several signs, or one that hardly occurs by chance.
    """

    reason: str
    signs: tuple[str, ...]
    near: int = 60
    unless: tuple[str, ...] = ()
    """Signs that clear the first sign when directly next to it: its subject ("we send"), or a negation."""
    never_with: tuple[str, ...] = ()
    """Signs that clear it within NEGATION_DISTANCE, with no pause between: it is forbidden."""

    def shows_in(self, text: str) -> bool:
        """True when ``text``, in lower case, shows this aim."""
        found = signs_in(text)
        if not all(sign in found for sign in self.signs):
            return False
        return any(self._is_joined(span, found, text) for span in found[self.signs[0]])

    def _is_joined(self, span: Span, found: Mapping[str, Sequence[Span]], text: str) -> bool:
        def near(sign: str, most: int) -> Iterator[Span]:
            others = around(found.get(sign, ()), span, most)
            return (other for other in others if not _sentence_ends_between(span, other, text))

        if any(_is_adjacent(span, excuse, text) for sign in self.unless for excuse in near(sign, SUBJECT_DISTANCE)):
            return False
        excuses = (excuse for sign in self.never_with for excuse in near(sign, NEGATION_DISTANCE))
        if any(not _pause_between(span, excuse, text) for excuse in excuses):
            return False
        return all(any(near(sign, self.near)) for sign in self.signs[1:])


AIMS: Final = (
    Aim(BLOCK, ("marks",)),
    Aim(BLOCK, ("speaker",)),
    Aim(BLOCK, ("addressed",)),
    Aim(RULES, ("void", "orders"), never_with=("linters",)),
    Aim(RULES, ("free", "model"), near=50),
    Aim(RULES, ("free", "persona"), near=50),
    Aim(RULES, ("modes",)),
    Aim(RULES, ("new_orders",)),
    Aim(RULES, ("prevail", "orders"), near=50),
    Aim(SECRETS, ("send", "secrets"), unless=("we",), never_with=("never",)),
    Aim(SECRETS, ("show", "secrets"), unless=("we",), never_with=("never",)),
    Aim(SECRETS, ("send", "away"), near=90, unless=("we",), never_with=("never",)),
    Aim(SECRETS, ("alter", "away"), near=60, unless=("we",), never_with=("never",)),
    Aim(SECRETS, ("image",)),
    Aim(SECRETS, ("put", "secrets", "public"), unless=("we",), never_with=("never",)),
    Aim(TOOLS, ("fetch", "away", "every"), near=70, unless=("we",), never_with=("never",)),
    Aim(TOOLS, ("tell", "away", "every"), near=70, unless=("we",), never_with=("never",)),
    Aim(TOOLS, ("commands",)),
    Aim(TOOLS, ("tools", "harm"), near=50, never_with=("never",)),
    Aim(TOOLS, ("asked", "harm"), near=90, never_with=("never",)),
    Aim(TOOLS, ("asked", "alter"), near=90, never_with=("never",)),
    Aim(TOOLS, ("asked", "tell"), near=90),
    Aim(TOOLS, ("pay", "money"), unless=("we",)),
    Aim(TOOLS, ("buy", "purse"), unless=("we",)),
    Aim(TOOLS, ("unasked",)),
    Aim(TOOLS, ("blind", "harm"), unless=("we",)),
    Aim(TOOLS, ("stealth", "alter")),
    Aim(TOOLS, ("weaken", "guards"), near=40, never_with=("never",)),
    Aim(TOOLS, ("plant", "malice"), near=50, never_with=("never",)),
    Aim(OTHERS, ("others", "grant")),
    Aim(OTHERS, ("accounts", "swap"), near=70),
    Aim(TOOLS, ("weak",)),
    Aim(OTHERS, ("pair", "give"), near=50),
    Aim(OTHERS, ("pair", "every"), near=50),
    Aim(OTHERS, ("claims",)),
    Aim(OTHERS, ("omit", "hazard"), near=50),
    Aim(OTHERS, ("counts",)),
    Aim(TRUST, ("trusted", "believe"), near=90),
    Aim(TRUST, ("promote", "wares"), near=70),
    Aim(TRUST, ("smear",)),
)


def why_to_review(text: str) -> str | None:
    """Why ``text`` must wait for its owner's approval before it is recalled; None when it need not wait."""
    return why_each_to_review([text])[0]


def why_each_to_review(texts: Sequence[str]) -> list[str | None]:
    """Why each of ``texts`` must wait; read at once, a text takes a third of the time."""
    reasons = {text: shown_aim(text) for text in texts}
    rest = [text for text, reason in reasons.items() if reason is None]
    harmful = zip(rest, mean_harm([text[:LONGEST] for text in rest]), strict=True)
    reasons |= {text: MEANING for text, harms in harmful if harms}
    return [reasons[text] for text in texts]


@lru_cache(maxsize=512)
def shown_aim(text: str) -> str | None:
    """What ``text`` is after by its words alone; None when they show nothing."""
    for reading in readings(text[:LONGEST]):
        for aim in AIMS:
            if aim.shows_in(reading):
                return aim.reason
    return None


def suspicious(text: str) -> Iterator[tuple[str, str]]:
    """The paragraphs of ``text`` whose words show an attack, each with the reason."""
    for paragraph in _PARAGRAPH.split(text[:LONGEST]):
        reason = shown_aim(paragraph)
        if reason is not None:
            yield paragraph.strip(), reason


def _sentence_ends_between(one: Span, other: Span, text: str) -> bool:
    """True when a sentence ends between the two."""
    (_, end), (start, _) = sorted((one, other))
    return _PARTED.search(text, max(end - 1, 0), start) is not None


def _is_adjacent(span: Span, other: Span, text: str) -> bool:
    """True when ``other`` comes before or after ``span``, does not overlap it, and no pause is between them."""
    (_, end), (start, _) = sorted((span, other))
    return start >= end and not _pause_between(span, other, text)


def _pause_between(one: Span, other: Span, text: str) -> bool:
    """True when a comma or another mark is between the two."""
    (_, end), (start, _) = sorted((one, other))
    return _PAUSE.search(text, end, max(start, end)) is not None
