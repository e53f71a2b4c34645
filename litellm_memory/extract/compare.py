"""How two statements of one person relate: the same, an update, unclear, or about something else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from litellm_memory.extract.subjects import CACHED, Statement, ceased, statement_of
from litellm_memory.text.words import words

Relation = Literal["same", "updates", "unclear", "other"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a new statement relates to a known one, and why, in words for the owner of the memory."""

    relation: Relation
    reason: str = ""


OTHER: Final = Verdict("other")


def compare(new: str, known: str) -> Verdict:
    """How the sentence ``new``, said later, relates to the sentence ``known``."""
    later, earlier = statement_of(new), statement_of(known)
    over = ceased(new)
    if over and over == words_of(known) and not ceased(known):
        return Verdict("updates", "it was said to hold no more")
    if later is None or earlier is None:
        alike = later is earlier and words_of(new) == words_of(known)
        return Verdict("same", "the same words") if alike else OTHER
    if later.was and (verdict := _by_former_value(later, earlier)) is not OTHER:
        return verdict
    if later.subject != earlier.subject:
        return OTHER
    return _of_one_subject(later, earlier)


def found_by(text: str) -> set[int]:
    """Hashes under which a statement is indexed, so that ``could_concern`` finds it."""
    over, statement = ceased(text), statement_of(text)
    keys = {_hash("said", words_of(text))}
    if over:
        keys.add(_hash("ceased", over))
    if statement is not None:
        keys.add(_hash("subject", statement.subject))
        keys |= {_hash("value", word) for word in former_value(statement)}
        keys |= {_hash("was", word) for word in sorted(statement.was)[:1]}
    return keys


def could_concern(text: str) -> set[int]:
    """Hashes that cover every statement whose relation to ``text`` could be other than "other".

    This holds whichever of the two was said later.
    """
    said, over, statement = words_of(text), ceased(text), statement_of(text)
    keys = {_hash("said", said), _hash("ceased", said)}
    if over:
        keys.add(_hash("said", over))
    if statement is not None:
        keys.add(_hash("subject", statement.subject))
        keys |= {_hash("was", word) for word in former_value(statement)}
        keys |= {_hash("value", word) for word in sorted(statement.was)[:1]}
    return keys


@lru_cache(maxsize=CACHED)
def words_of(text: str) -> frozenset[str]:
    """The words of a sentence, normalised like those of the search."""
    return frozenset(words(text))


def former_value(statement: Statement) -> frozenset[str]:
    """What a later statement names when it tells the former state: the value, or without one the subject."""
    return statement.value or frozenset(statement.subject[2:])


def _hash(kind: str, what: object) -> int:
    return hash((kind, what))


def _by_former_value(later: Statement, earlier: Statement) -> Verdict:
    """The verdict when the newer statement names the former value: "we switched from X to Y"."""
    before = former_value(earlier)
    if later.subject[0] not in ("switched", earlier.subject[0]) or not earlier.holds or not later.was <= before:
        return OTHER
    if later.partly:
        return Verdict("unclear", "it may have changed for a part only")
    near = before == later.was or earlier.subject[0] in ("do", "switched", "home", "employer")
    return Verdict("updates", "it was said to have changed") if near else OTHER


def _of_one_subject(later: Statement, earlier: Statement) -> Verdict:
    if not earlier.value and not later.value:  # "I drink coffee": it holds, or it does not.
        if later.holds == earlier.holds:
            return Verdict("same", "the same words")
        return Verdict("updates", "the opposite was said later")
    if later.holds != earlier.holds:
        ends = bool(later.value & earlier.value) or (later.single and later.holds)
        return Verdict("updates", "it was said to hold no more") if ends else OTHER
    if later.value == earlier.value or (later.value < earlier.value and not later.changed):
        return Verdict("same", "the same thing")
    if earlier.value < later.value:
        return Verdict("updates", "it was said more fully")
    if later.single or (later.shape == earlier.shape and later.shape != "words"):
        return Verdict("updates", "a newer value was said")
    if later.changed and later.shape == earlier.shape:
        return Verdict("unclear", "it may contradict what is known")
    return OTHER
