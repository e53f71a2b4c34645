"""What recall finds today of what earlier answers used: measured on a store's own traces, without any model."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from litellm_memory.care.browse import Recalling
from litellm_memory.extract.answers import is_used
from litellm_memory.ledger import Trace
from litellm_memory.memories import Memories
from litellm_memory.memories.query import Query
from litellm_memory.models import Memory, Scope
from litellm_memory.settings import RecallSettings

FEWEST: Final = 20
"""With fewer questions nothing is said: the standard error of a share would be above ten points."""
FIRST: Final = 10
LOOKED_AT: Final = 100
"""Results among which the first ten that were there when the question was asked are looked for."""
LONGEST_CHAIN: Final = 20
"""How many corrections of one memory are followed."""


@dataclass(frozen=True, slots=True)
class Question:
    """A message that was given memories, and the ids of those that answer it: ``corrected``: some since replaced."""

    text: str
    mark: str | None
    asked: datetime
    scope: Scope
    carried: frozenset[str]
    answers: frozenset[str]
    corrected: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What one question found; shares are from 0 to 1. ``of_block``: of what it was given; None for nothing."""

    corrected: bool
    first_10: float
    in_block: float
    of_block: float | None
    block: int


@dataclass(frozen=True, slots=True)
class Row:
    """Means over some questions, in percent; ``memories`` is how many a block holds. None: there are too few."""

    questions: str
    count: int
    first_10: float | None = None
    in_block: float | None = None
    given_something: float | None = None
    of_block: float | None = None
    memories: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures; ``requests`` is how many traces of a person's message with memories they come from."""

    requests: int
    questions: int
    fewest: int
    rows: tuple[Row, ...]


async def evaluate(
    traces: Sequence[Trace], memories: Memories, search: Recalling, settings: RecallSettings, *, now: datetime
) -> Evaluation:
    """Asks again what these requests of one partition asked. Raises LiteLLMMemoryError."""
    given = [trace for trace in traces if trace.status == "injected" and trace.kind == "person"]
    known = await _known(given, memories)
    # In a thread: cutting the words of a thousand answers takes a good part of a second.
    questions = await asyncio.to_thread(_questions, given, known, now)
    measured = [await _measured(one, search, settings, now) for one in questions]
    corrected = [one for one in measured if one.corrected]
    rows = [("all", measured)]
    if corrected:
        rows += [("used", [one for one in measured if not one.corrected]), ("corrected", corrected)]
    return Evaluation(len(given), len(questions), FEWEST, tuple(_row(name, some) for name, some in rows))


async def _known(traces: Sequence[Trace], memories: Memories) -> Mapping[str, Memory]:
    """The memories that these traces of one partition name, and what has replaced them, by id."""
    known: dict[str, Memory] = {}
    wanted = {one.memory for trace in traces for one in trace.candidates}
    wanted |= {one.memory for trace in traces for one in trace.learned if one.memory is not None}
    for _ in range(LONGEST_CHAIN):
        if not wanted:
            break
        found = await memories.entries(traces[0].partition, sorted(wanted))
        known |= {memory.id: memory for memory in found}
        wanted = {memory.superseded_by.id for memory in found if memory.superseded_by} - known.keys()
    return known


def _questions(traces: Sequence[Trace], known: Mapping[str, Memory], now: datetime) -> list[Question]:
    return [found for trace in traces if (found := question_of(trace, known, now)) is not None]


def question_of(trace: Trace, known: Mapping[str, Memory], now: datetime) -> Question | None:
    """The question of a request; None when its words were not kept or its answer used nothing that is still known.

    Traces hold no text: the words are those of the memory that the message itself became, with the answer to it.
    """
    learned = [known[one.memory or ""] for one in trace.learned if one.what == "kept" and one.memory in known]
    message = next((one for one in learned if one.kind == "episode" and one.reply and one.user == trace.user), None)
    if message is None or message.reply is None:
        return None
    given = [known[one.memory] for one in trace.candidates if one.left_out is None and one.memory in known]
    used = [one for one in given if one.kind != "instruction" and is_used(one.text, message.text, message.reply)]
    now_valid = [one for one in (_today(memory, known) for memory in used) if one.in_force(now)]
    if not now_valid:
        return None
    return Question(
        message.text,
        message.message,
        trace.at,
        Scope(trace.partition, trace.user, project=trace.project, session=trace.session),
        frozenset(one.memory for one in trace.candidates if one.left_out == "already_carried"),
        frozenset(one.id for one in now_valid),
        any(one.superseded_by is not None for one in used),
    )


def _today(memory: Memory, known: Mapping[str, Memory]) -> Memory:
    """What has replaced a memory, or itself."""
    for _ in range(LONGEST_CHAIN):
        if memory.superseded_by is None or memory.superseded_by.id not in known:
            break
        memory = known[memory.superseded_by.id]
    return memory


async def _measured(question: Question, search: Recalling, settings: RecallSettings, now: datetime) -> Measured:
    said = frozenset({question.mark}) if question.mark else frozenset[str]()
    query = Query(
        question.text,
        question.scope,
        LOOKED_AT,
        0.0,
        without=question.carried,
        said=said,
        standing_instructions=False,
    )
    found = [one.memory for one in (await search(query, now=now)).recalled]
    # What was said since is in nobody's way, as it was not then: often it is the same conversation.
    later = {one.id for one in found if one.created >= question.asked} - question.answers
    first = [one.id for one in found if one.id not in later][:FIRST]
    for_block = replace(
        query,
        limit=settings.max_memories,
        min_score=settings.min_score,
        tokens=settings.token_budget,
        without=question.carried | later,
    )
    block = [one.memory.id for one in (await search(for_block, now=now)).recalled]
    in_block = question.answers & set(block)
    return Measured(
        question.corrected,
        len(question.answers & set(first)) / len(question.answers),
        len(in_block) / len(question.answers),
        len(in_block) / len(block) if block else None,
        len(block),
    )


def _row(name: str, measured: Sequence[Measured]) -> Row:
    if len(measured) < FEWEST:
        return Row(name, len(measured))
    of_block = [one.of_block for one in measured if one.of_block is not None]
    return Row(
        name,
        len(measured),
        first_10=_percent([one.first_10 for one in measured]),
        in_block=_percent([one.in_block for one in measured]),
        given_something=_percent([float(one.block > 0) for one in measured]),
        of_block=_percent(of_block) if of_block else None,
        memories=round(statistics.fmean(one.block for one in measured), 1),
    )


def _percent(shares: Sequence[float]) -> float:
    return round(100 * statistics.fmean(shares), 1)
