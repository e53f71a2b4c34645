"""Reconciles new memories with known ones: the same, superseding, unclear, or about something else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from litellm_memory.extract.compare import compare
from litellm_memory.extract.known import KnownStatements, is_comparable
from litellm_memory.extract.subjects import corrected, correction_in
from litellm_memory.models import CONFIRMED, Memory, Superseded

RECENTLY: Final = timedelta(hours=1)
"""For this long after a statement, "it is Postgres now" may refer to it, in the same session."""


@dataclass(slots=True)
class Reconciliation:
    """What is to be written, by id: the new memories to keep, and the known ones that changed."""

    new: dict[str, Memory] = field(default_factory=dict)
    known: dict[str, Memory] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    """For each new memory that is not kept, the id of the one that says the same."""

    def change(self, memory: Memory) -> Memory:
        """Records the change of a known memory, or of one that is new in this run."""
        (self.new if memory.id in self.new else self.known)[memory.id] = memory
        return memory


def reconcile(new: Iterable[Memory], known: KnownStatements, *, only_session: bool = False) -> Reconciliation:
    """Reconciles new memories, oldest first, with each other and with the ``known`` ones of the same user.

    Only memories of the same project are compared, and with ``only_session`` only those of that session. ``known`` is
    updated to what is known once all of that is written.
    """
    result = Reconciliation()
    for memory in new:
        memory = _with_subject(memory, known, only_session)
        if not is_comparable(memory):
            result.new[memory.id] = memory
            continue
        concerned = _comparable_with(memory, known.concerned(memory.text), only_session)
        changed = _merged(memory, concerned, result)
        for item in _kept(memory, concerned, result) if changed is None else changed:
            if item.superseded_by is not None:
                known.remove(item.id)
            elif is_comparable(item):
                known.put(item)
    return result


def with_outcome(memory: Memory, outcome: Memory) -> Memory:
    """A known memory as it is now, with the result of the reconciliation."""
    return replace(
        memory,
        confidence=outcome.confidence,
        superseded_by=outcome.superseded_by,
        valid_until=outcome.valid_until,
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
