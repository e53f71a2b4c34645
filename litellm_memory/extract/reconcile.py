"""Reconciles new memories with known ones: the same, superseding, unclear, or about something else. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from litellm_memory.extract.compare import compare
from litellm_memory.extract.known import KnownStatements, is_comparable
from litellm_memory.extract.pairs import LIKELY, MOST_KNOWN, sure_among
from litellm_memory.extract.subjects import corrected, correction_in
from litellm_memory.models import CONFIRMED, Memory, Superseded

RECENTLY: Final = timedelta(hours=1)
"""For this long after a statement, "it is Postgres now" may refer to it, in the same session."""

Judge = Callable[[str, Sequence[str]], Sequence[float]]
"""Tells of each known text, oldest first, how probably a new one takes its place."""


def _nobody(_: str, known: Sequence[str]) -> Sequence[float]:
    return [0.0] * len(known)


@dataclass(slots=True)
class Reconciliation:
    """What is to be written, by id: the new memories to keep, and the known ones that changed."""

    new: dict[str, Memory] = field(default_factory=dict)
    known: dict[str, Memory] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    """For each new memory that is not kept, the id of the one that says the same."""
    idle: set[str] = field(default_factory=set)
    """New memories that are not kept because nothing known is over by them."""

    def joined(self, other: Reconciliation) -> Reconciliation:
        """This one and another, of other memories."""
        return Reconciliation(
            self.new | other.new, self.known | other.known, self.merged | other.merged, self.idle | other.idle
        )

    def change(self, memory: Memory) -> Memory:
        """Records the change of a known memory, or of one that is new in this run."""
        (self.new if memory.id in self.new else self.known)[memory.id] = memory
        return memory


def reconcile(
    new: Iterable[Memory],
    known: KnownStatements,
    *,
    only_session: bool = False,
    only_if_ends: Collection[str] = frozenset(),
    judge: Judge = _nobody,
) -> Reconciliation:
    """Reconciles new memories, oldest first, with each other and with the ``known`` ones of the same user.

    Only memories of the same project are compared, and with ``only_session`` only those of that session. Those whose
    ids are in ``only_if_ends`` are kept only when something known is over by them. What no rule relates is put before
    ``judge``, messages too. ``known`` is updated to what is known once all of that is written.
    """
    result = Reconciliation()
    for said in new:
        memory = _with_subject(said, known, only_session)
        over = _over_by_meaning(memory, known, only_session, judge)
        if said.id in only_if_ends:
            ended = _ended_by(memory, known, only_session) or next(iter(over), None)
            if ended is None:
                result.idle.add(said.id)
                continue
            memory = replace(memory, kind=ended.kind, project=ended.project)
        elif over and memory.kind == "episode":  # It tells the new value, so it is a statement like the one before it.
            memory = replace(memory, kind=over[0].kind, project=over[0].project)
        for item in _changes(memory, known, over, only_session, result):
            if item.superseded_by is not None:
                known.remove(item.id)
            elif item.review is None:
                known.put(item)
    return result


def _changes(
    memory: Memory, known: KnownStatements, over: Sequence[Memory], only_session: bool, result: Reconciliation
) -> list[Memory]:
    """What becomes known or changes by a memory, which is recorded in ``result``."""
    changed: list[Memory] | None = None
    concerned: list[Memory] = []
    if is_comparable(memory):
        concerned = _comparable_with(memory, known.concerned(memory.text), only_session)
        changed = _merged(memory, concerned, result)
    if changed is not None:
        return changed
    changed = _kept(memory, concerned, result)
    if result.new[memory.id].review is not None:
        return changed  # What waits for its owner's word ends nothing.
    ended = {item.id for item in changed}
    return [
        *changed,
        *(result.change(_ended(old, memory, "it was said to have changed")) for old in over if old.id not in ended),
    ]


def _over_by_meaning(memory: Memory, known: KnownStatements, only_session: bool, judge: Judge) -> list[Memory]:
    """The known memories whose place a person's memory takes, as ``judge`` reads them; statements first."""
    if memory.review is not None or memory.origin.role == "assistant":
        return []
    before = [
        old
        for old in known.newest(MOST_KNOWN)
        if old.message != memory.message
        and old.project in (memory.project, None)
        and (not only_session or old.session == memory.session)
        and _said(old) <= _said(memory)
    ]
    likely = dict(zip((old.id for old in before), judge(memory.text, [old.text for old in before]), strict=True))
    sure = sure_among(len(before))
    messages = {old.message for old in before if likely[old.id] >= sure}
    over = [
        old
        for old in before
        if likely[old.id] >= sure or (likely[old.id] >= LIKELY and old.message and old.message in messages)
    ]
    return sorted(over, key=lambda old: old.kind == "episode")


def with_outcome(memory: Memory, outcome: Memory) -> Memory:
    """A known memory as it is now, with the result of the reconciliation."""
    return replace(
        memory,
        confidence=outcome.confidence,
        superseded_by=outcome.superseded_by,
        valid_until=outcome.valid_until,
    )


def _ended_by(memory: Memory, known: KnownStatements, only_session: bool) -> Memory | None:
    """A known statement that is over by ``memory``, of its project or of none; None when there is none."""
    if not is_comparable(memory) or memory.origin.role == "assistant":
        return None
    concerned = known.concerned(memory.text)
    near = [
        old
        for project in (memory.project, None)
        for old in _comparable_with(replace(memory, project=project), concerned, only_session)
    ]
    return next(
        (old for old in near if _said(old) <= _said(memory) and compare(memory.text, old.text).relation == "updates"),
        None,
    )


def _comparable_with(memory: Memory, known: Iterable[Memory], only_session: bool) -> list[Memory]:
    return [
        old
        for old in known
        if old.id != memory.id and old.project == memory.project and (not only_session or old.session == memory.session)
    ]


def _with_subject(memory: Memory, known: KnownStatements, only_session: bool) -> Memory:
    """A correction that names no subject, applied to the last statement it fits; one that fits nothing waits for
    review."""
    if not is_comparable(memory) or correction_in(memory.text) is None:
        return memory
    before = [old for old in _comparable_with(memory, known, only_session) if _said_just_before(old, memory)]
    last = max(before, key=_said, default=None)
    text = corrected(memory.text, last.text) if last else None
    if last is None or text is None:
        return replace(memory, review="it does not say what it is about")
    return replace(memory, text=text, kind=last.kind, project=last.project)


def _said_just_before(old: Memory, memory: Memory) -> bool:
    return old.session == memory.session and _said(memory) - RECENTLY <= _said(old) <= _said(memory)


def _merged(memory: Memory, known: Sequence[Memory], result: Reconciliation) -> list[Memory] | None:
    """Merges a memory into the first known one that says the same; returns the change, or None when none does."""
    same = next((old for old in known if compare(memory.text, old.text).relation == "same"), None)
    if same is None:
        return None
    result.merged[memory.id] = same.id
    if memory.origin.role == "assistant":
        return []  # An answer that repeats what is known confirms nothing.
    return [result.change(replace(same, confidence=min(1.0, same.confidence + CONFIRMED)))]


def _kept(memory: Memory, known: Sequence[Memory], result: Reconciliation) -> list[Memory]:
    """Keeps a memory, and ends those it supersedes, or itself where a newer one is known; returns the changes."""
    changed: list[Memory] = []
    for old in known:
        if _said(old) > _said(memory):
            verdict = compare(old.text, memory.text)
            if verdict.relation == "updates":
                memory = _ended(memory, old, verdict.reason)
                break
            continue
        verdict = compare(memory.text, old.text)
        if verdict.relation == "updates" and memory.origin.role == "assistant":
            memory = replace(memory, review=f"the answer contradicts memory {old.id}")
        elif verdict.relation == "updates":
            changed.append(result.change(_ended(old, memory, verdict.reason)))
        elif verdict.relation == "unclear":
            memory = replace(memory, review=f"{verdict.reason}: memory {old.id}")
    result.new[memory.id] = memory
    return [*changed, memory]


def _ended(memory: Memory, by: Memory, reason: str) -> Memory:
    return replace(memory, superseded_by=Superseded(by.id, reason), valid_until=_said(by))


def _said(memory: Memory) -> datetime:
    return memory.valid_from or memory.created
