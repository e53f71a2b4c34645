"""What a search recalls and rejects, with the numbers and the reasons that explain it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import numpy as np
import pytest
from bed.recall_set import asking
from bed.remembered import DAY, memory
from corpus.unseen import items

from litellm_memory import meaning
from litellm_memory.care.why import LEFT_OUT, PARTS
from litellm_memory.index.ranking import CUES
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.memories.query import Hidden, Query
from litellm_memory.memories.recall import MAX_REJECTED_REPORTED, Recollection, Rejection, search
from litellm_memory.memories.vectors import Needed
from litellm_memory.models import Scope
from litellm_memory.store import Entry

SAID = (
    "Which boat does Jonas have?",
    "It is a small green one, bought last summer.",
    "Jonas has had a boat since May.",
    "You are so kind, thank you!",
    "I knew you would like it.",
    "Will your sister come along?",
    "You should see how your boat looks beside it.",
    "The kitchen was painted yellow in 2023.",
)


def searched(text: str, *, tokens: int | None = None, min_score: float = 0.3) -> Recollection:
    """What is recalled of SAID, said minute by minute in one session, with vectors that are alike."""
    index = ScopeIndex(2)
    vectors = np.array([[np.cos(angle), np.sin(angle)] for angle in np.linspace(0, 1.5, len(SAID))], np.float32)
    entries = [
        Entry(memory(said, created=DAY + timedelta(minutes=n), session="s", tokens=12), vectors[n])
        for n, said in enumerate(SAID)
    ]
    index.put([*entries, Entry(memory("Answer in German.", kind="instruction", tokens=4), None)])
    query = Query(text, Scope("p", "u"), 10, min_score, tokens=tokens)
    return search(index, vectors[0], query, DAY + timedelta(days=1))


def score_of(why: Mapping[str, float]) -> float:
    """The score as docs/api.md says that it arises."""
    return min(max(0.95 * min(2 * why["evidence"], why["sure"]) + 0.05 * why["evidence"], 0), 1)


@pytest.mark.parametrize(
    ("text", "about_time"),
    [("When did Jonas get his boat?", {"from_time"}), ("Has Jonas a boat?", set())],
    ids=["asks for a time", "asks for no time"],
)
def test_why_holds_every_part_of_a_score_also_of_what_is_rejected(text: str, about_time: set[str]) -> None:
    found = searched(text, min_score=0.95)
    items = [*(item for item in found.recalled if item.memory.kind == "fact"), *found.rejected]
    assert len(items) == len(SAID)
    assert found.rejected
    parts = {"from_vectors", "from_words", "from_nearby_words", *(cue.name for cue in CUES)} - {
        "from_time"
    } | about_time
    for item in items:
        assert set(item.why) == {"vectors", "words", "sure", "rank", "evidence", *parts}
        assert sum(item.why[part] for part in parts) == pytest.approx(item.why["rank"], abs=1e-6)
        assert score_of(item.why) == pytest.approx(item.score, abs=1e-6)
    assert any(item.why["from_answer"] for item in items)
    assert any(item.why["from_statement"] for item in items)
    assert any(item.why["from_context"] for item in items)


def test_a_standing_instruction_is_recalled_whatever_its_score_and_not_rejected_as_well() -> None:
    found = searched("When did Jonas get his boat?")
    first = found.recalled[0]
    assert (first.memory.text, first.score, first.why) == ("Answer in German.", 1.0, {"standing_wish": 1.0})
    items = [*found.recalled, *found.rejected]
    assert sum(item.memory == first.memory for item in items) == 1


def test_what_does_not_fit_is_rejected_before_what_is_not_near() -> None:
    reasons = [item.reason for item in searched("When did Jonas get his boat?", tokens=75, min_score=0.85).rejected]
    assert set(reasons) == {"budget", "threshold"}
    assert reasons == sorted(reasons)
    assert len(reasons) <= MAX_REJECTED_REPORTED


ASKED = "What wood did we choose for the fence?"
ASKED_BEFORE = (ASKED, *(f"What wood did we choose for the fence again, {day}?" for day in range(12)))


@pytest.mark.parametrize("times", [1, len(ASKED_BEFORE)])
def test_a_question_that_was_asked_before_stands_in_a_block_once_and_keeps_no_answer_out(times: int) -> None:
    index = ScopeIndex(2)
    answer = "For the garden we settled on larch boards, a fence of two metres."
    told = [answer, *ASKED_BEFORE[:times]]
    index.put(
        Entry(memory(text, kind="episode", created=DAY + timedelta(days=n), tokens=20), None)
        for n, text in enumerate(told)
    )
    query = Query(ASKED, Scope("p", "u"), 24, 0.1, tokens=1000)
    found = search(index, None, query, DAY + timedelta(days=30))
    texts = [item.memory.text for item in found.recalled]
    assert (texts.count(answer), len(texts)) == (1, 2)
    assert {item.reason for item in found.rejected} <= {"repeated", "far_behind", "threshold"}
    everything = search(index, None, replace(query, tokens=None), DAY + timedelta(days=30))
    assert len(everything.recalled) == len(told)


def test_what_a_question_says_beside_its_subject_hides_nothing_in_any_script() -> None:
    asked = asking()
    assert len(asked) >= 50
    assert sum(finds(said, question) for said, question, _ in asked) >= 0.9 * len(asked)
    assert sum(finds(said, unrelated) for said, _, unrelated in asked) <= 0.05 * len(asked)


@pytest.mark.parametrize(
    ("round", "found", "silent"),
    [
        ("round2", 0.76, 0.92),
        ("round4", 0.85, 0.9),
        ("round5", 0.63, 0.95),
        ("round6", 0.93, 0.93),
        ("round9", 0.93, 0.93),
    ],
)
def test_of_what_strangers_wrote_in_scripts_that_the_model_cannot_read_meaning_finds_what_is_needed(
    round: str, found: float, silent: float
) -> None:
    asked = items("recall_scripts", round)
    assert len(asked) == 60
    needed = [finds(one["memory"], one["question"], meaning.needed) for one in asked]
    assert sum(needed) >= found * len(asked)
    assert sum(not finds(one["memory"], one["unrelated"], meaning.needed) for one in asked) >= silent * len(asked)


def test_a_question_in_a_script_that_the_encoder_does_not_read_goes_by_its_words() -> None:
    said, asks = "मेरे कुत्ते का नाम मोती है।", "मेरे कुत्ते का नाम क्या है?"
    assert finds(said, asks, meaning.needed)
    assert not finds(said, "चावल कैसे पकाएँ?", meaning.needed)


def finds(said: str, text: str, needed: Needed | None = None) -> bool:
    """Whether a question finds the only memory there is: by its words, or as ``needed`` judges too."""
    index = ScopeIndex(2)
    index.put([Entry(memory(said), None)])
    return bool(search(index, None, Query(text, Scope("p", "u"), 10, 0.3), DAY, needed=needed).recalled)


def test_every_part_of_a_rank_has_its_words() -> None:
    assert {"from_vectors", "from_words", "from_nearby_words", *(cue.name for cue in CUES)} == set(PARTS)


def test_every_reason_for_a_rejection_has_its_sentence() -> None:
    assert {*get_args(Hidden), *get_args(Rejection), "threshold", "far_behind", "guardrail"} == set(LEFT_OUT)
