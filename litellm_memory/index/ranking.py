"""From signals to scores: arithmetic, no I/O.

A memory's rank is the sum of its parts: vector match, word match, and what each cue of CUES adds. To add a cue, write
a function of a text in `text/cues.py` and add an entry to CUES here.

People who talk to each other answer and remark; requests to an assistant each stand alone. So what surrounds a memory
and whether it states something count as far as the texts are a dialogue: `dialogue_of`.

The weights come from a listwise logistic regression over the turns and questions of five long dialogues (the even half
of LoCoMo); they were rounded, and those for requests were chosen on ten chats with an assistant (BEAM) and on the
made-up ones. docs/decisions/ranking.md has the figures by folds, and `scripts/bench/recall` measures them. "R@10
without" is R@10 on LoCoMo without that part; with all parts it is 82.5.
Confidence is measured by two rates. Rejection: unrelated questions that get no memory, on LoCoMo 98.8 % (by words alone
98.0 %). Acceptance: related questions that get some memory, in synthetic chats 82.8 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from litellm_memory.models import Memory
from litellm_memory.text.cues import asks, asks_time, is_long, statement, tells_time

Floats = NDArray[np.float32]
Positions: TypeAlias = NDArray[np.intp]
"""Indexes of numpy's native index type: converting another type takes as long as the lookup itself."""

DENSE = 0.6
"""Weight of vectors in a memory's own match (0 to 1); words have the rest. R@10 of vectors alone is 66.9, of words
alone 76.4."""
NEAR, FAR = 2, 8
"""How many memories on each side are near context (a direct reply) and wider context (the same subject)."""
FADE, REACH = 0.5, 2
"""Factor per step on a query word that matches in a neighbour, and how many steps count. Dialogues spread a statement
over several turns; R@10 without is 81.0."""
CONFIDENCE_DENSE = 0.85
"""Weight of vectors in confidence (0 to 1); words have the rest. More than in a rank: shared words are often small
talk. With 0.6, acceptance is 71.9 %."""
UNKNOWN_NAME_PENALTY = 0.45
"""The share of confidence that is subtracted when no memory contains any of the query's names. Rejection without:
74.1 %."""
WORDS_ALONE = 0.75
"""Factor on confidence without vectors when the query is English: unrelated English texts share many words. Rejection
without: 93.7 %."""
WORDS_BESIDE = (0.4, 1.0)
"""Factor on confidence by words alone beside the judgement of a need: for a query in other letters than English ones,
and in those. Pairs of characters are shared by chance, and many languages in English letters the encoder does not
know."""
CROWDED_FROM, CROWDING_PENALTY = 500, 0.035
"""Above this many memories some are near any query by chance, so each factor of e more costs this much confidence.
Rejection without: 98.4 %, and less the more memories there are."""
TALK_FROM, TALK_TO, TALK_SMOOTHING = 0.15, 0.4, 8
"""The share of memories that talk to somebody from which a scope begins to be a dialogue, the one from which it is
wholly one, and how many that do not are added. In LoCoMo it is 0.48 to 0.53, in chats with an assistant 0 to 0.23."""
WORDS_NEARBY = (0.5, 1.0)
"""Factor on the query words that only neighbours contain: among requests, and in a dialogue."""
IN_REQUESTS = 0.3
"""Factor on the weight of context among requests. With all that stands beside a memory weighed as in a dialogue, R@10
in chats with an assistant is 67.7, with this and WORDS_NEARBY 69.7."""
VECTORS_AGAIN = 0.5
"""In relevance vectors count this much more than in a rank: words are often shared with another subject."""
LONG_PENALTY = 0.04
"""A long memory is near many queries by chance, so each factor of e above LONG_WORDS costs this much confidence.
Rejection in chats with an assistant, whose messages are long, without: 95.9 % of general questions, with: 97.0 %."""
COMPANION_FACTOR = 2.0
"""A score is at most this many times its evidence, so that one confident hit also lifts memories of half its rank. With
1, a block of 1,000 tokens contains 60.5 % of the evidence in the synthetic chats, with 2 it contains 76.4 %."""
RANK_SHARE = 0.05
"""Weight of the rank in a score (0 to 1), so that memories capped by the same confidence keep their order. It lowers
acceptance by 0.8 percentage points."""
SORTED_FIRST = 64
"""How many of the best scores are sorted first: a block seldom needs more, and the rest is sorted only when it does."""


@dataclass(frozen=True, slots=True)
class Signals:
    """How well each memory of an index matches one query, signal by signal. All columns have the same length."""

    positions: Positions
    """The memory's position in the index."""
    dense: Floats
    """Cosine of its vector to the query's."""
    words: Floats
    """The share (0 to 1) of the query's word weight that it matches."""
    nearby: Floats
    """The same including the words of its neighbours, which count half for each step away."""
    cues: Floats
    """One row per entry of CUES."""
    previous: Positions
    following: Positions
    """The rows of its neighbours in time, in the same session; -1 for none."""
    excess_lengths: Floats
    """By how many factors of e its words are more than those of a usual message."""
    in_session: NDArray[np.bool_]
    """True where the session is known; else neighbours were only said shortly before or after."""
    dialogue: float = 1.0
    """How far the memories are a dialogue between people (1), or requests to an assistant (0)."""
    count: int = 0
    """How many memories the index holds; for a large index, only some of them have rows."""
    unknown_names: float = 0.0
    """The share of the query's names that occur in no memory of the index."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A query-independent property of a memory that raises or lowers its rank."""

    name: str
    """The name of its part in a rank."""
    weight: float
    of_memory: Callable[[Memory], float]
    """The value of a memory, stored in a float32 column; 0 once the memory is dropped."""
    applied: Callable[[Floats, Floats, Signals], Floats] = lambda values, own, signals: values
    """What the cue adds to each rank, from weighted values and the memories' own matches."""
    asked_by: Callable[[str], bool] = lambda query: True
    """Whether the cue counts for a query."""
    in_requests: float = 1.0
    """Factor on the weight where the memories are requests to an assistant."""
    of_any_subject: bool = False
    """It says nothing of what the memory is about, and so is no part of relevance."""
    from_neighbours: bool = False
    """It comes from what was said before or after, and so is evidence only within a known session."""


def to_context(values: Floats, own: Floats, signals: Signals) -> Floats:
    """The values multiplied by how much better a memory's context matches than the memory itself."""
    near = spread(own, signals, NEAR)
    around: Floats = (near + spread(near, signals, FAR - NEAR)) / np.float32(2)
    added: Floats = values * (around - own)
    return added


def to_following(values: Floats, own: Floats, signals: Signals) -> Floats:
    """The values multiplied by the matches, each added to the following memory."""
    added: Floats = np.append(values * own, np.float32(0))
    return added.take(signals.previous)


CUES: Final = (
    # In a dialogue an answer seldom repeats its question. A long memory depends less on its context.
    # R@10 without this and FADE: 74.0.
    Cue(
        "from_context",
        0.5,
        lambda memory: 0.7 if is_long(memory.text) else 1.0,
        to_context,
        in_requests=IN_REQUESTS,
        from_neighbours=True,
    ),
    # Questions and talk about the listener are seldom what is asked for. R@10 without: 80.8.
    Cue("from_statement", 0.5, lambda memory: statement(memory.text), in_requests=0.0),
    # The memory after a question that matches is likely to be its answer. R@10 without: 82.6.
    Cue("from_answer", 0.06, lambda memory: asks(memory.text), to_following, from_neighbours=True),
    # R@10 without: 82.9, but 0.8 less where turns do not begin with the speaker's name.
    Cue("from_time", 0.11, lambda memory: tells_time(memory.text), asked_by=asks_time, of_any_subject=True),
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """One sortable score per memory, its rank, and the parts that add up to it."""

    ranks: Floats
    parts: Mapping[str, Floats]
    evidence: Floats
    """The same without what comes from neighbours that are not known to be of the same conversation."""
    relevance: Floats
    """The same without cues of any subject, with vectors counting more: how far it is about what the query is about."""


def joined(own: Signals, shared: Signals, *, unknown_names: float) -> Signals:
    """Two columns of rows as one, ``own`` before ``shared``, whose positions count backwards from -1.

    How far it is a dialogue is told by one's own memories, so that they rank among each other as without the others.
    """
    rows = len(own.positions)

    def of_both(first: Positions, second: Positions) -> Positions:
        return np.concatenate([first, np.where(second < 0, second, second + rows)])

    return Signals(
        positions=np.concatenate([own.positions, -1 - shared.positions]),
        dense=np.concatenate([own.dense, shared.dense]),
        words=np.concatenate([own.words, shared.words]),
        nearby=np.concatenate([own.nearby, shared.nearby]),
        cues=np.concatenate([own.cues, shared.cues], axis=1),
        previous=of_both(own.previous, shared.previous),
        following=of_both(own.following, shared.following),
        excess_lengths=np.concatenate([own.excess_lengths, shared.excess_lengths]),
        in_session=np.concatenate([own.in_session, shared.in_session]),
        dialogue=own.dialogue if own.count else shared.dialogue,
        count=own.count + shared.count,
        unknown_names=unknown_names,
    )


def dialogue_of(to_somebody: NDArray[np.bool_]) -> float:
    """How far memories are a dialogue, from 0 to 1, by which of them talk to somebody."""
    share = float(to_somebody.sum()) / (len(to_somebody) + TALK_SMOOTHING)
    return min(max((share - TALK_FROM) / (TALK_TO - TALK_FROM), 0.0), 1.0)


def cues_of(memory: Memory) -> list[float]:
    """The values of CUES for a memory."""
    return [cue.of_memory(memory) for cue in CUES]


def rank(signals: Signals, query: str, *, trust: float) -> Ranking:
    """The memories' ranks for a query. ``trust`` (0 to 1): how much vectors count; at 0 only words do."""
    share = np.float32(DENSE * trust)
    parts = {
        "from_vectors": share * np.clip(signals.dense, 0, 1),
        "from_words": (1 - share) * signals.words,
        "from_nearby_words": (1 - share) * _words_nearby(signals),
    }
    ranks = own = parts["from_vectors"] + parts["from_words"] + parts["from_nearby_words"]
    said_near = parts["from_nearby_words"]
    of_subject = np.float32(VECTORS_AGAIN) * parts["from_vectors"]
    for cue, values in zip(CUES, signals.cues, strict=True):
        if cue.asked_by(query):
            weight = cue.weight * _between(cue.in_requests, 1.0, signals.dialogue)
            parts[cue.name] = added = cue.applied(weight * values, own, signals)
            ranks = ranks + added
            said_near = said_near + added if cue.from_neighbours else said_near
            of_subject = of_subject - added if cue.of_any_subject else of_subject
    known = bool(signals.in_session.all())
    evidence = ranks if known else ranks - np.maximum(said_near, 0) * ~signals.in_session
    return Ranking(ranks, parts, evidence, evidence + of_subject)


def _words_nearby(signals: Signals) -> Floats:
    """What the query words that only neighbours contain are worth."""
    gained: Floats = np.float32(_between(*WORDS_NEARBY, signals.dialogue)) * (signals.nearby - signals.words)
    return gained


def _between(requests: float, dialogue: float, share: float) -> float:
    """The weight that lies at ``share`` of the way from the one among requests to the one in a dialogue."""
    return requests + (dialogue - requests) * share


def confidence(signals: Signals, *, trust: float, english: float, judged_in: float | None = None) -> Floats:
    """How likely each memory is to be about the query, from 0 to 1.

    It is comparable across scopes of any size, with or without vectors, and across languages: few questions that are
    unrelated to the memories reach 0.3. ``english`` (0 to 1): how much of the query is English. ``judged_in``: the
    vectors stand for how probably the query needs each memory, and this much of it (0 to 1) is in English letters.
    """
    matched = signals.words + np.where(signals.in_session, _words_nearby(signals), np.float32(0))
    by_words = matched * np.float32(1 - (1 - WORDS_ALONE) * english)
    by_both = CONFIDENCE_DENSE * np.clip(signals.dense, 0, 1) + (1 - CONFIDENCE_DENSE) * matched
    likely = trust * by_both + (1 - trust) * by_words
    if judged_in is not None:
        likely = np.maximum(likely, np.float32(_between(*WORDS_BESIDE, judged_in)) * by_words)
    by_chance = CROWDING_PENALTY * math.log(max(1, signals.count / CROWDED_FROM))
    by_length = LONG_PENALTY * signals.excess_lengths
    likely = likely * (1 - UNKNOWN_NAME_PENALTY * signals.unknown_names)
    confidences: Floats = np.maximum(likely - by_chance - by_length, 0)
    return confidences


def shown_scores(evidence: Floats, *, sure: float) -> Floats:
    """The scores that people see and set a threshold for, in the order of ``evidence``, from 0 to 1.

    ``sure`` is the confidence in the best hit: when it is low, all scores are low; when it is high, memories related to
    that hit pass the threshold too.
    """
    capped = np.minimum(COMPANION_FACTOR * evidence, sure)
    scores: Floats = np.clip((1 - RANK_SHARE) * capped + RANK_SHARE * evidence, 0, 1)
    return scores


def with_neighbours(columns: Floats, shares: Floats, previous: Positions, following: Positions) -> Floats:
    """``shares`` plus the query words that only a memory's neighbours contain, each step away worth FADE as much.

    ``columns`` has the shares by memory and word, of the weightiest words.
    """
    # The last row stands for "no neighbour", which is row -1. `take` is five times as fast here as indexing.
    best = np.concatenate([columns, np.zeros((1, columns.shape[1]), np.float32)])
    rows = best[:-1]
    for _ in range(REACH):
        neighbours = np.maximum(best.take(previous, axis=0), best.take(following, axis=0))
        np.maximum(rows, FADE * neighbours, out=rows)
    gained: Floats = np.minimum(shares + (rows - columns).sum(axis=1), 1)
    return gained


def spread(scores: Floats, signals: Signals, reach: int) -> Floats:
    """The best score among each memory and its ``reach`` neighbours on either side."""
    best: Floats = np.append(scores, np.float32(0))  # The last row stands for "no neighbour", which is row -1.
    rows = best[:-1]
    for _ in range(reach):
        np.maximum(rows, np.maximum(best.take(signals.previous), best.take(signals.following)), out=rows)
    return rows


def best_first(scores: Floats, *, at_least: float) -> Iterator[int]:
    """Rows by descending score down to ``at_least``; lazily sorted, a few first."""
    rest = np.arange(len(scores))
    if len(scores) > SORTED_FIRST:
        top = np.argpartition(-scores, SORTED_FIRST)[:SORTED_FIRST]
        lowest = scores[top].min()
        for row, score in _falling(scores, top):
            if score < at_least:
                return
            if score > lowest:
                yield row
        rest = np.flatnonzero(scores <= lowest)
    for row, score in _falling(scores, rest):
        if score < at_least:
            return
        yield row


def _falling(scores: Floats, rows: Positions) -> Iterator[tuple[int, float]]:
    # Equal scores keep the order in which the memories came, so that a block is the same on every worker.
    falling = rows[np.lexsort((rows, -scores[rows]))]
    return zip(falling.tolist(), scores[falling].tolist(), strict=True)
