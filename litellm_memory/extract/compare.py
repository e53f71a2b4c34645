"""How two statements of one person relate: the same, an update, unclear, or about something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from litellm_memory.extract.apart import changes_nothing, is_apart
from litellm_memory.extract.changes import CACHED, FEWEST_LETTERS, affirmed, change_in, content, ends, linking
from litellm_memory.extract.subjects import Statement, statement_of
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
    if later and earlier:
        verdict = _of_statements(later, earlier)
    else:
        alike = later is earlier and words_of(new) == words_of(known)
        verdict = Verdict("same", "the same words") if alike else OTHER
    # "I am not learning" has the words of "I am learning".
    turned = verdict.relation == "same" and bool(denied(new)) != bool(denied(known))
    if verdict is OTHER or turned:
        verdict = _of_change(new, known)
    if verdict.relation == "updates" and (changes_nothing(new) or is_apart(new, known)):
        return OTHER
    return OTHER if verdict.relation == "same" and _numbers_differ(new, known) else verdict


def _numbers_differ(new: str, known: str) -> bool:
    """True when ``new`` has a number that ``known``, which has numbers too, does not have: "since 2016", "since
    2056"."""
    said, known_ones = (set(_NUMBER.findall(text)) for text in (new, known))
    return bool(known_ones) and not said <= known_ones


_NUMBER: Final = re.compile(r"\d+")


def _of_statements(later: Statement, earlier: Statement) -> Verdict:
    if later.was and (verdict := _by_former_value(later, earlier)) is not OTHER:
        return verdict
    # Who left two things for two others has said nothing twice.
    same_switch = later.subject[0] != "switched" or later.was == earlier.was
    return _of_one_subject(later, earlier) if later.subject == earlier.subject and same_switch else OTHER


def _of_change(new: str, known: str) -> Verdict:
    """The verdict by what the newer sentence says to be over, whatever the shapes of the two."""
    change = change_in(new)
    if change is not None and ends(change, content(known)):
        return Verdict("updates", "it was said to have changed" if change.renewed else "it was said to hold no more")
    # A message of little words alone ("she passed") has no content, as what a statement that denies nothing denies.
    if change is None and (said := content(new)) and said == denied(known):
        return Verdict("updates", "the opposite was said later")
    return OTHER


def denied(text: str) -> frozenset[str]:
    """The words of what a sentence denies and nothing else; empty when it denies nothing."""
    change, affirmation = change_in(text), affirmed(text)
    return content(affirmation) if affirmation and change and not change.renewed else frozenset()


def found_by(text: str) -> set[int]:
    """Hashes under which a statement is indexed, so that ``could_concern`` finds it."""
    statement, change = statement_of(text), change_in(text)
    keys = {_hash("said", words_of(text)), _hash("said", content(text)), _hash("denied", denied(text))}
    keys |= {_hash("named", beginning) for beginning in _beginnings(content(text) - linking(), most=1)}
    if change is not None:
        keys |= {_hash("over", beginning) for beginning in _beginnings(change.over - linking())}
    if statement is not None:
        keys.add(_hash("subject", statement.subject))
        keys |= {_hash("value", word) for word in former_value(statement)}
        keys |= {_hash("was", word) for word in sorted(statement.was)[:1]}
    return keys


def could_concern(text: str) -> set[int]:
    """Hashes that cover every statement whose relation to ``text`` could be other than "other".

    This holds whichever of the two was said later.
    """
    statement, change = statement_of(text), change_in(text)
    keys = {_hash("said", words_of(text)), _hash("said", denied(text)), _hash("denied", content(text))}
    keys |= {_hash("over", beginning) for beginning in _beginnings(content(text) - linking())}
    if change is not None:
        keys |= {_hash("named", beginning) for beginning in _beginnings(change.said)}
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


def _beginnings(said: frozenset[str], most: int | None = None) -> list[str]:
    """The beginnings that all forms of these words have, of the longest words first."""
    return [word[:FEWEST_LETTERS] for word in sorted(said, key=lambda word: (-len(word), word))[:most]]


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
