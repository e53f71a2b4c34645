"""New memories against what is known: merged, superseding, unclear, or about something else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from litellm_memory.extract.subjects import Statement, ceased, corrected, correction_in, statement_of
from litellm_memory.models import CONFIRMED, Memory, Superseded
from litellm_memory.text.words import words

Relation = Literal["same", "updates", "unclear", "other"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a new statement stands to a known one, and why, in words for the owner of the memory."""

    relation: Relation
    reason: str = ""


OTHER = Verdict("other")
RECENTLY = timedelta(hours=1)
"""So long after a statement "it is Postgres now" may speak of it, in the same session."""


@dataclass(slots=True)
class Settled:
    """What is to be written, by id: the new memories that stand, and the known ones that changed."""

    new: dict[str, Memory] = field(default_factory=dict)
    known: dict[str, Memory] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    """By the id of a new memory that is not kept: the one that says the same."""


def settle(new: Iterable[Memory], known: Sequence[Memory], *, only_session: bool = False) -> Settled:
    """New memories, oldest first, held against each other and against the ``known`` ones of the same user.

    Only what belongs to the same project is compared, and with ``only_session`` only what was said in that session.
    """
    settled = Settled()
    there = {memory.id: memory for memory in known if _compares(memory)}
    for memory in new:
        here = [old for old in there.values() if old.id != memory.id and _together(memory, old, only_session)]
        memory = _with_subject(memory, here)
        if not _compares(memory) or not _is_merged(memory, here, settled):
            settled.new[memory.id] = memory
            if _compares(memory):
                settled.new[memory.id] = _against(memory, here, settled)
        there |= settled.known | {id_: item for id_, item in settled.new.items() if _compares(item)}
        there = {id_: item for id_, item in there.items() if item.superseded_by is None}
    return settled


def _compares(memory: Memory) -> bool:
    return memory.kind != "episode" and memory.superseded_by is None and memory.review is None


def _together(memory: Memory, known: Memory, only_session: bool) -> bool:
    return memory.project == known.project and (not only_session or memory.session == known.session)


def _with_subject(memory: Memory, known: Sequence[Memory]) -> Memory:
    """A correction that names no subject, said of what was said just before; one of nothing known waits for review."""
    if not _compares(memory) or correction_in(memory.text) is None:
        return memory
    before = [old for old in known if _said_just_before(old, memory)]
    last = max(before, key=_said, default=None)
    text = corrected(memory.text, last.text) if last else None
    if last is None or text is None:
        return replace(memory, review="it does not say what it is about")
    return replace(memory, text=text, kind=last.kind, project=last.project)


def _said_just_before(old: Memory, memory: Memory) -> bool:
    return old.session == memory.session and _said(memory) - RECENTLY <= _said(old) <= _said(memory)


def _is_merged(memory: Memory, known: Sequence[Memory], settled: Settled) -> bool:
    """True when one of the known memories says the same; it is confirmed then."""
    same = next((old for old in known if compare(memory.text, old.text).relation == "same"), None)
    if same is None:
        return False
    settled.merged[memory.id] = same.id
    if memory.origin.role == "assistant":
        return True  # An answer that repeats what is known confirms nothing.
    confirmed = replace(same, confidence=min(1.0, same.confidence + CONFIRMED))
    (settled.new if same.id in settled.new else settled.known)[same.id] = confirmed
    return True


def _against(memory: Memory, known: Sequence[Memory], settled: Settled) -> Memory:
    """The new memory as it is to be kept; what it supersedes is noted in ``settled``."""
    for old in known:
        if _said(old) > _said(memory):
            verdict = compare(old.text, memory.text)
            if verdict.relation == "updates":
                return _ended(memory, old, verdict.reason)
            continue
        verdict = compare(memory.text, old.text)
        if verdict.relation == "updates" and memory.origin.role == "assistant":
            memory = replace(memory, review=f"the answer contradicts memory {old.id}")
        elif verdict.relation == "updates":
            (settled.new if old.id in settled.new else settled.known)[old.id] = _ended(old, memory, verdict.reason)
        elif verdict.relation == "unclear":
            memory = replace(memory, review=f"{verdict.reason}: memory {old.id}")
    return memory


def _ended(memory: Memory, by: Memory, reason: str) -> Memory:
    return replace(memory, superseded_by=Superseded(by.id, reason), valid_until=_said(by))


def _said(memory: Memory) -> datetime:
    return memory.valid_from or memory.created


def compare(new: str, known: str) -> Verdict:
    """How the sentence ``new``, said later, stands to the sentence ``known``."""
    later, earlier = statement_of(new), statement_of(known)
    over = ceased(new)
    if over and over == _said_in(known) and not ceased(known):
        return Verdict("updates", "it was said to hold no more")
    if later is None or earlier is None:
        alike = later is earlier and _said_in(new) == _said_in(known)
        return Verdict("same", "the same words") if alike else OTHER
    if later.was and (verdict := _leaves(later, earlier)) is not OTHER:
        return verdict
    if later.subject != earlier.subject:
        return OTHER
    return _of_one_subject(later, earlier)


@lru_cache(maxsize=65_536)
def _said_in(text: str) -> frozenset[str]:
    return frozenset(words(text))


def _leaves(later: Statement, earlier: Statement) -> Verdict:
    """The verdict when the newer statement names what was before: "we switched from X to Y"."""
    before = earlier.value or frozenset(earlier.subject[2:])
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
