"""What a text tells besides its words, and the passages whose vectors stand for it."""

from __future__ import annotations

import numpy as np
import pytest

from litellm_memory.embedding.embedder import blend
from litellm_memory.text.cues import (
    LONG_WORDS,
    MAX_PASSAGES,
    asks,
    asks_time,
    excess_length,
    passages,
    plain,
    statement,
    talks_to_somebody,
    tells_time,
)


@pytest.mark.parametrize(
    ("text", "share"),
    [("What’s new in v2.1?", 1), ("Jak funguje čerpadlo?", 2 / 3), ("太阳系有几颗行星？", 0), ("", 1)],
    ids=["english", "czech", "chinese", "empty"],
)
def test_how_much_of_a_text_is_in_english_letters(text: str, share: float) -> None:
    assert plain(text) == pytest.approx(share)


def test_passages_are_what_a_text_states_and_its_sentences_under_its_label() -> None:
    assert passages("My database is heron.") == ["My database is heron."]
    assert passages("Anna: Hi there! I moved to Lisbon in May. Have you been there yet? It is warm here.") == [
        "Anna: I moved to Lisbon in May. It is warm here.",
        "Anna: I moved to Lisbon in May.",
        "Anna: Have you been there yet?",
        "Anna: It is warm here.",
    ]


def test_passages_of_a_long_text_are_bounded() -> None:
    assert len(passages("This is one more sentence. " * 1000)) == MAX_PASSAGES + 1


def axis(number: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.eye(4, dtype=np.float32)[number]


def test_a_blend_is_a_unit_vector_half_of_the_whole_and_half_of_its_sentences() -> None:
    assert blend([axis(2)]).tolist() == axis(2).tolist()
    blended = blend([axis(0), axis(1), axis(2)])
    assert np.linalg.norm(blended) == pytest.approx(1)
    assert blended[0] == pytest.approx(np.hypot(blended[1], blended[2]))


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("I moved to Lisbon in May with my two cats.", "Have you ever moved to Lisbon with two cats?"),
        ("We painted the whole kitchen green.", "You are so great, your kitchen is great."),
        ("I started to learn the cello from my neighbour.", "Nice!"),
    ],
    ids=["a question", "talk about the listener", "a cheer"],
)
def test_a_statement_says_more_than(more: str, less: str) -> None:
    assert statement(more) > statement(less)


def test_cues_of_texts_and_questions() -> None:
    assert [asks(text) for text in ("Is it?", "Is it? [photo: a cat]", "It is.", "真的吗？", "")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert [asks_time(text) for text in ("When was it?", "How long is it?", "What year?", "Who?")] == [
        True,
        True,
        True,
        False,
    ]
    assert [tells_time(text) for text in ("last week", "in 2023", "on Friday", "a cat")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "to_somebody"),
    [
        ("You always know what to say!", True),
        ("Anna: How was your trip?", True),
        ("Can you help me with a plan for the garden?", False),
        ("I moved to Ghent. Could you write an introduction for the team?", False),
        ("My cat only eats fish.", False),
    ],
)
def test_who_asks_an_assistant_for_something_talks_to_nobody(text: str, to_somebody: bool) -> None:
    assert talks_to_somebody(text) is to_somebody


def test_what_a_request_tells_before_it_asks_is_stated() -> None:
    told = "I am painting the hall with Ben's green lime paint this weekend, can you help me with a list?"
    asked = "Can you help me with a list for painting the hall with Ben's green lime paint this weekend?"
    assert statement(told) > statement(asked)


def test_only_what_is_longer_than_a_usual_message_has_an_excess_length() -> None:
    assert [excess_length("word " * count) for count in (1, LONG_WORDS)] == [0, 0]
    assert excess_length("word " * 4 * LONG_WORDS) == pytest.approx(1.386, abs=0.001)
