"""Scores, their fusion, what stands beside them, and the token budget: arithmetic, no I/O.

The weights began as those of a listwise logistic regression over the turns and questions of five long dialogues (the
even half of LoCoMo), fitted on four and measured on the fifth; rounded, and some moved since with all five in view.
`scripts/bench/recall` measures them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from litellm_memory.models import Memory
from litellm_memory.render import BlockStyle, entry_tokens, frame_tokens, heading_of, heading_tokens

Floats = NDArray[np.float32]
Positions: TypeAlias = NDArray[np.int64]
Links: TypeAlias = NDArray[np.int32]

DENSE = 0.6
"""Weight of vectors in what a memory says itself; words have the rest."""
NEAR, FAR = 2, 8
"""How many memories before and after one its context reaches: what is said at once, and what is talked about."""
FADE, REACH = 0.5, 2
"""What a word of the query is worth in the memory beside, and from how many memories away it counts."""
CONTEXT = 0.5
"""Weight of the context beside what a memory says itself: in a dialogue an answer seldom repeats its question."""
LONG_CONTEXT = 0.35
"""The same for a memory of many words, which needs no other to be understood."""
STATEMENT = 0.5
ANSWER = 0.06
"""Weight of the memory before, when that asked something."""
TIME = 0.11
"""What a time in the text is worth to a question for one."""
SURE_DENSE = 0.85
"""Weight of vectors in how surely anything was found: shared words alone are often small talk."""
STRANGE = 0.45
"""The share that is taken off the sureness when the query is about names that nobody has mentioned."""
WORDS_ALONE = 0.75
"""What English words are worth without vectors: unrelated questions share many."""
FEW, CROWD = 500, 0.035
"""With how many memories it begins that something is near by chance, and what each e-fold of them takes off."""
LENIENCY = 2.0
"""What comes along with a sure hit may itself score this much less."""
FIRST_LOOK = 64


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for each memory of an index as an answer to one query. All columns have the same length."""

    positions: Positions
    """Where each memory stands in the index."""
    dense: Floats
    """Cosine of its vector to the query's."""
    words: Floats
    """The share (0 to 1) of the weight of the query's words that it has."""
    nearby: Floats
    """The same with the words of those beside it, worth half with each step away."""
    statement: Floats
    """How much it states, by its text alone."""
    tells_time: Floats
    """1 when it names a time."""
    leans: Floats
    """1 when it is short enough for what stands beside it to explain it."""
    answers: Floats
    """1 when the memory before it asks."""
    previous: Links
    following: Links
    """The rows of its neighbours in time, in the same session; -1 for none."""
    count: int = 0
    """How many memories the index holds, those included that are not among the rows."""
    strange: float = 0.0
    """The share of the query's names that no memory of the index has."""


def fuse(dense: Floats, words: Floats, *, trust: float) -> Floats:
    """What each memory says itself, from 0 to 1. ``trust``, from 0 to 1: how far vectors count; at 0 words decide."""
    share = np.float32(DENSE * trust)
    return share * np.clip(dense, 0, 1) + (1 - share) * words


def sureness(signals: Signals, *, trust: float, english: float) -> Floats:
    """How surely each memory is about the query, from 0 to 1.

    It means the same in a scope of any size, with vectors or without, and in any language: of questions that have
    nothing to do with the memories, few reach 0.3. ``english``: how far the query is, from 0 to 1.
    """
    by_words = signals.nearby * np.float32(1 - (1 - WORDS_ALONE) * english)
    by_both = SURE_DENSE * np.clip(signals.dense, 0, 1) + (1 - SURE_DENSE) * signals.nearby
    sure = trust * by_both + (1 - trust) * by_words
    by_chance = CROWD * math.log(max(1, signals.count / FEW))
    doubted: Floats = np.maximum(sure * (1 - STRANGE * signals.strange) - by_chance, 0)
    return doubted


def rank(signals: Signals, *, asks_time: bool, trust: float) -> Floats:
    """One score a memory to sort by: what it says, what is said around it, and what kind of text it is."""
    own = fuse(signals.dense, signals.nearby, trust=trust)
    near = spread(own, signals, NEAR)
    around = (near + spread(near, signals, FAR - NEAR)) / 2
    context = LONG_CONTEXT + (CONTEXT - LONG_CONTEXT) * signals.leans
    score = own + context * (around - own) + STATEMENT * signals.statement
    score += ANSWER * signals.answers * np.append(own, np.float32(0))[signals.previous]
    return score + TIME * signals.tells_time if asks_time else score


def with_neighbours(columns: Floats, shares: Floats, previous: Links, following: Links) -> Floats:
    """``shares`` with what a memory's neighbours have of the words that it lacks: a dialogue says a thing in pieces.

    ``columns`` has the shares by memory and word, of the weightiest words.
    """
    # The last row stands for "no neighbour", which is row -1.
    best = np.concatenate([columns, np.zeros((1, columns.shape[1]), np.float32)])
    for _ in range(REACH):
        best[:-1] = np.maximum(best[:-1], FADE * np.maximum(best[previous], best[following]))
    gained: Floats = np.minimum(shares + (best[:-1] - columns).sum(axis=1), 1)
    return gained


def spread(scores: Floats, signals: Signals, reach: int) -> Floats:
    """For each memory the best score among it and its ``reach`` neighbours on both sides."""
    best: Floats = np.append(scores, np.float32(0))  # The last row stands for "no neighbour", which is row -1.
    for _ in range(reach):
        best[:-1] = np.maximum(best[:-1], np.maximum(best[signals.previous], best[signals.following]))
    return best[:-1]


def shown_scores(ranks: Floats, *, sure: float) -> Floats:
    """The scores that people see and set a threshold for, in the order of ``ranks``, from 0 to 1.

    ``sure`` is how surely the best of them is about the query: when nothing is, nothing scores high, and when
    something is, what belongs to it comes along.
    """
    scores: Floats = np.clip(0.95 * np.minimum(LENIENCY * ranks, sure) + 0.05 * ranks, 0, 1)
    return scores


def best_first(scores: Floats, *, at_least: float) -> Iterator[int]:
    """Positions in falling order of score down to ``at_least``; few are sorted until more are asked for."""
    if len(scores) > FIRST_LOOK:
        top = np.argpartition(-scores, FIRST_LOOK)[:FIRST_LOOK]
        lowest = scores[top].min()
        for position in _falling(scores, top):
            if scores[position] < at_least:
                return
            if scores[position] > lowest:
                yield int(position)
        rest = np.flatnonzero(scores <= lowest)
    else:
        rest = np.arange(len(scores))
    for position in _falling(scores, rest):
        if scores[position] < at_least:
            return
        yield int(position)


class Room:
    """What is left of a block while memories are put into it, the best first: tokens, entries, and what it says."""

    def __init__(self, *, tokens: int | None, limit: int, layout: BlockStyle | None, name_projects: bool) -> None:
        self._left = math.inf if tokens is None else tokens - frame_tokens(layout)
        self._entries = limit
        self._full = 0 if layout and layout.summaries else layout.full if layout else limit
        self._name_projects = name_projects
        self._headings: set[str] = {""}
        self._given = ""
        self._messages: set[str] = set()

    def refuses(self, memory: Memory) -> str | None:
        """None when the memory went in, whole; else why not: ``limit``, ``repeated`` or ``budget``.

        One that does not fit leaves its room to smaller ones.
        """
        if not self._entries:
            return "limit"
        if memory.message in self._messages or memory.text in self._given:
            return "repeated"
        short = memory.kind != "instruction" and not self._full
        heading = heading_of(memory, name_projects=self._name_projects)
        cost = entry_tokens(memory, short=short) + (0 if heading in self._headings else heading_tokens(heading))
        if cost > self._left:
            return "budget"
        self._left -= cost
        self._entries -= 1
        self._headings.add(heading)
        self._keep(memory, short=short)
        return None

    def _keep(self, memory: Memory, *, short: bool) -> None:
        if short:
            return
        self._full -= memory.kind != "instruction"
        self._given += f"{memory.text}\n"
        if memory.kind == "episode" and memory.message:
            # What was learned from a message says nothing beside the message itself.
            self._messages.add(memory.message)


def _falling(scores: Floats, positions: Positions) -> Positions:
    # Equal scores keep the order in which the memories came, so that a block is the same on every worker.
    return positions[np.lexsort((positions, -scores[positions]))]
