"""From signals to ranks, confidence and scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from litellm_memory.index.ranking import (
    CUES,
    Signals,
    best_first,
    confidence,
    dialogue_of,
    rank,
    shown_scores,
    spread,
    with_neighbours,
)

QUERY = "When was it?"


def signals(dense: list[float], **fields: object) -> Signals:
    """Signals of memories that stand in a row, one after the other, and are alike in all that is not given.

    A field is a column of Signals, or the values of a cue by its name.
    """
    size = len(dense)
    rows = np.arange(size)
    cues = {cue.name: np.zeros(size) for cue in CUES} | {
        cue.name: fields.pop(cue.name) for cue in CUES if cue.name in fields
    }
    given = {
        "positions": rows,
        "dense": np.array(dense, np.float32),
        "words": np.zeros(size, np.float32),
        "nearby": np.zeros(size, np.float32),
        "cues": np.array(list(cues.values()), np.float32),
        "previous": rows - 1,
        "following": np.array([*rows[1:], -1]),
        "excess_lengths": np.zeros(size, np.float32),
        "in_session": np.ones(size, bool),
        **{
            name: value
            if name in ("unknown_names", "count", "dialogue")
            else np.array(value, bool if name == "in_session" else np.float32)
            for name, value in fields.items()
        },
    }
    return Signals(**given)  # type: ignore[arg-type]  # a table of columns


@pytest.mark.parametrize("size", [0, 1, 64, 65, 500])
def test_best_first_is_a_full_sort_down_to_the_threshold(size: int) -> None:
    scores = np.random.default_rng(size).integers(0, 20, size).astype(np.float32) / 20
    expected = [i for i in sorted(range(size), key=lambda i: (-scores[i], i)) if scores[i] >= 0.3]
    assert list(best_first(scores, at_least=0.3)) == expected


def test_without_vectors_the_words_alone_decide() -> None:
    both = signals([1, -1], words=[0, 0.5], nearby=[0, 0.5])
    assert rank(both, QUERY, trust=1.0).ranks.tolist() == pytest.approx([0.6, 0.2])
    assert rank(both, QUERY, trust=0.0).ranks.tolist() == [0.0, 0.5]
    assert confidence(
        signals([1, -1], words=[0, 0.8], nearby=[0, 0.8]), trust=0.0, english=1.0
    ).tolist() == pytest.approx([0.0, 0.6])
    assert confidence(
        signals([1, -1], words=[0, 0.8], nearby=[0, 0.8]), trust=0.0, english=0.0
    ).tolist() == pytest.approx([0.0, 0.8])


def test_the_more_memories_there_are_the_less_sure_is_the_nearest() -> None:
    sure = [confidence(signals([0.9], count=count), trust=1.0, english=1.0)[0] for count in (1, 500, 5_000, 100_000)]
    assert sure[0] == sure[1] > sure[2] > sure[3] > 0.3


def test_the_longer_a_memory_is_the_less_sure_is_it() -> None:
    sure = confidence(signals([0.9, 0.9, 0.9], excess_lengths=[0, 1, 2]), trust=1.0, english=1.0).tolist()
    assert sure == sorted(sure, reverse=True)
    assert sure[0] > sure[1] > sure[2] > 0.6


def test_a_name_that_nobody_has_mentioned_makes_a_hit_less_sure() -> None:
    known, unknown = (
        confidence(signals([1.0], unknown_names=share), trust=1.0, english=1.0)[0] for share in (0.0, 1.0)
    )
    assert known > unknown > 0.5 * known


def test_a_score_spreads_as_far_as_it_reaches_and_no_further() -> None:
    row = signals([0, 0, 0, 1, 0, 0, 0.5])
    assert spread(row.dense, row, 2).tolist() == [0, 1, 1, 1, 1, 1, 0.5]
    apart = replace(row, previous=np.full(7, -1), following=np.full(7, -1))
    assert spread(row.dense, apart, 2).tolist() == row.dense.tolist()


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"dense": [0.5, 0.2]}),
        ({"from_context": [1, 1]}, {}),
        ({"from_statement": [0, 0.1]}, {}),
        ({"from_answer": [1, 0]}, {}),
        ({"from_time": [0, 1]}, {}),
    ],
    ids=["a near neighbour", "being short beside a hit", "stating", "answering", "naming a time"],
)
def test_what_raises_a_memory_beside_a_hit(better: dict[str, object], worse: dict[str, object]) -> None:
    given = {"dense": [0.9, 0.2], "from_context": [0.7, 0.7]}
    ranks = [rank(signals(**{**given, **fields}), QUERY, trust=1.0).ranks for fields in (better, worse)]  # type: ignore[arg-type]
    assert ranks[0][1] > ranks[1][1]


def test_a_time_counts_only_for_a_question_for_one() -> None:
    timed = signals([0.5, 0.5], from_time=[0, 1])
    asked, not_asked = (rank(timed, query, trust=1.0) for query in (QUERY, "Who was it?"))
    assert asked.ranks[0] < asked.ranks[1]
    assert not_asked.ranks[0] == not_asked.ranks[1]
    assert set(asked.parts) - set(not_asked.parts) == {"from_time"}


def test_the_parts_of_a_rank_add_up_to_it() -> None:
    random = np.random.default_rng(3)
    columns = {name: random.random(50) for name in ("words", "nearby", *(cue.name for cue in CUES))}
    ranking = rank(signals(random.random(50).tolist(), **columns), QUERY, trust=0.8)
    assert {"from_vectors", "from_words", "from_nearby_words", *(cue.name for cue in CUES)} == set(ranking.parts)
    assert all(part.any() for part in ranking.parts.values())
    np.testing.assert_allclose(sum(ranking.parts.values()), ranking.ranks, atol=1e-6)


def test_among_requests_neighbours_count_less_and_questions_as_much_as_statements() -> None:
    given = {"dense": [0.9, 0.2], "nearby": [0.5, 0.5], "from_context": [1, 1], "from_statement": [0, -0.5]}
    talk, requests = (rank(signals(**given, dialogue=share), QUERY, trust=1.0).parts for share in (1.0, 0.0))  # type: ignore[arg-type]
    assert requests["from_nearby_words"] == pytest.approx(talk["from_nearby_words"] / 2)
    assert 0 < requests["from_context"][1] < talk["from_context"][1] / 2
    assert talk["from_statement"][1] < 0 == requests["from_statement"][1]


@pytest.mark.parametrize(
    ("share", "dialogue"), [(0.1, 0.0), (0.27, 0.5), (0.5, 1.0)], ids=["requests", "both", "a dialogue"]
)
def test_who_talks_to_somebody_is_in_a_dialogue(share: float, dialogue: float) -> None:
    assert dialogue_of(np.arange(1000) < 1000 * share) == pytest.approx(dialogue, abs=0.03)
    assert dialogue_of(np.ones(1, bool)) == 0, "one memory says little about the others"


def test_what_was_said_near_it_without_a_session_is_no_evidence() -> None:
    fields = {"nearby": [0, 0.5], "from_context": [1, 1], "from_answer": [1, 0]}
    known = rank(signals([0.9, 0.1], **fields), QUERY, trust=1.0)
    unknown = rank(signals([0.9, 0.1], **fields, in_session=[False, False]), QUERY, trust=1.0)
    assert unknown.ranks.tolist() == known.ranks.tolist() == known.evidence.tolist()
    assert unknown.evidence[1] == pytest.approx(0.6 * 0.1)


def test_naming_a_time_is_no_relevance_and_vectors_tell_more_of_it_than_of_a_rank() -> None:
    timed = rank(signals([0.5, 0.5, 0.1], from_time=[0, 1, 0], words=[0, 0, 0.6], nearby=[0, 0, 0.6]), QUERY, trust=1.0)
    assert timed.evidence.tolist() == pytest.approx([0.3, 0.41, 0.3])
    assert timed.relevance.tolist() == pytest.approx([0.45, 0.45, 0.33])


def test_scores_keep_the_order_and_are_low_when_nothing_is_sure() -> None:
    ranks = np.array([0.9, 0.8, 0.2, -0.1], np.float32)
    sure, unsure = shown_scores(ranks, sure=0.7), shown_scores(ranks, sure=0.2)
    assert sure.tolist() == sorted(sure, reverse=True)
    assert (sure[:2] > 0.6).all()
    assert (unsure < 0.3).all()
    assert ((sure >= 0) & (sure <= 1)).all()


def test_the_words_of_neighbours_count_half_and_each_word_once() -> None:
    both, left, right = [0.6, 0.4], [0.6, 0.0], [0.0, 0.4]
    columns = np.array([left, [0, 0], right, right, [0, 0], [0, 0], [0, 0], both], np.float32)
    row = signals([0.0] * 8)
    nearby = with_neighbours(columns, columns.sum(1), row.previous, row.following)
    assert nearby.tolist() == pytest.approx([0.7, 0.5, 0.55, 0.4, 0.2, 0.25, 0.5, 1.0])
