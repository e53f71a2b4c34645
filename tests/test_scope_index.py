"""What an index of one user's memories finds: words, vectors and neighbours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from bed.recall_set import Person, languages
from bed.remembered import DAY, memory

from litellm_memory.index.ranking import best_first, rank
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.index.vectors import TWO_STEPS_FROM
from litellm_memory.store import Entry


def axis(number: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.eye(4, dtype=np.float32)[number]


@pytest.mark.parametrize("person", [person for person, _ in languages().values()], ids=languages())
def test_words_alone_find_what_was_said_in_every_script(person: Person) -> None:
    index = ScopeIndex(4)
    index.put(Entry(memory(said.text, id=said.name, session=said.session), None) for said in person.said)
    for question in person.asked:
        ranking = rank(index.signals(None, question.text), question.text, trust=0.0)
        best = index.at(int(ranking.ranks.argmax()))
        assert best is not None
        assert {best.id} == question.answers


def test_an_index_scores_words_as_a_share_and_vectors_as_cosine() -> None:
    index = ScopeIndex(4)
    index.put([Entry(memory("alpha beta"), axis(0)), Entry(memory("gamma"), axis(1)), Entry(memory("delta"), None)])
    signals = index.signals(axis(0), "alpha beta")
    assert signals.dense.tolist() == [1, 0, 0]
    assert signals.words[0] > 0.8
    assert signals.words[1:].tolist() == [0, 0]


@pytest.mark.parametrize("others", [0, 5, 500], ids=["alone", "a few", "many"])
def test_a_share_of_words_means_the_same_in_every_scope(others: int) -> None:
    index = ScopeIndex(4)
    index.put([Entry(memory("heron kestrel"), None)])
    index.put(Entry(memory(f"otter{n} badger{n}"), None) for n in range(others))
    assert index.signals(None, "heron kestrel").words[0] == pytest.approx(1, abs=0.01)
    assert index.signals(None, "heron osprey").words[0] == pytest.approx(0.46, abs=0.06)


def test_what_is_dropped_or_replaced_is_not_found_again() -> None:
    index = ScopeIndex(4)
    index.put([Entry(memory("alpha", id="a"), axis(0)), Entry(memory("beta", id="b"), axis(1))])
    index.put([Entry(memory("gamma", id="a"), axis(2))])
    index.drop(["b", "unknown"])
    assert len(index) == 1
    found = [index.at(position) for position in best_first(index.signals(axis(2), "gamma").dense, at_least=0.5)]
    assert found == [memory("gamma", id="a")]
    assert index.signals(None, "alpha beta").words.tolist() == [0, 0, 0]


def chain(index: ScopeIndex) -> list[list[str]]:
    """The ids of memories that stand beside each other, as the signals link them."""
    signals = index.signals(None, "")
    starts = [row for row, before in enumerate(signals.previous) if before < 0 and index.at(row)]
    chains = []
    for row in starts:
        ids = []
        while row >= 0:
            memory_there = index.at(int(signals.positions[row]))
            assert memory_there is not None
            ids.append(memory_there.id)
            row = int(signals.following[row])
        chains.append(ids)
    return sorted(chains)


def said(name: str, minute: int, **fields: object) -> Entry:
    return Entry(memory(name, created=DAY + timedelta(minutes=minute), **fields), None)


def test_neighbours_are_what_was_said_before_and_after_in_the_same_session_and_project() -> None:
    index = ScopeIndex(4)
    index.put(
        [said("c", 9, session="s"), said("a", 1, session="s"), said("x", 2, session="t"), said("b", 5, session="s")]
    )
    index.put([said("p", 6, session="s", project="other"), said("d", 9, session="s")])
    assert chain(index) == [["a", "b", "c", "d"], ["p"], ["x"]]
    index.drop(["b", "d"])
    assert chain(index) == [["a", "c"], ["p"], ["x"]]


def test_without_a_session_a_pause_parts_what_was_said() -> None:
    index = ScopeIndex(4)
    index.put(said(name, minute, kind="episode") for name, minute in (("a", 0), ("c", 100), ("b", 20), ("d", 120)))
    assert chain(index) == [["a", "b"], ["c", "d"]]
    index.put([said("between", 60, kind="episode")])
    assert chain(index) == [["a", "b"], ["between"], ["c", "d"]]
    index.drop(["c"])
    assert chain(index) == [["a", "b"], ["between"], ["d"]]


def test_facts_without_a_session_are_no_dialogue_however_near_in_time() -> None:
    index = ScopeIndex(4)
    index.put([said("a", 0), said("b", 0), said("c", 1, kind="episode"), said("d", 1)])
    assert chain(index) == [["a"], ["b"], ["c"], ["d"]]


def test_what_one_request_carried_is_one_conversation_and_a_pause_parts_those_that_begin_alike() -> None:
    index = ScopeIndex(4)
    told = [("a", 0, "one"), ("x", 1, "two"), ("b", 2, "one"), ("c", 50, "one"), ("y", 3, None)]
    index.put(said(name, minute, conversation=conversation) for name, minute, conversation in told)
    assert chain(index) == [["a", "b"], ["c"], ["x"], ["y"]]
    in_session = index.signals(None, "a").in_session
    known = {index.at(int(position)).id for position in np.flatnonzero(in_session)}  # type: ignore[union-attr]  # kept
    assert known == {"a", "b", "c", "x"}


def test_a_large_scope_is_searched_in_two_steps_with_the_same_result() -> None:
    random = np.random.default_rng(0)
    vectors = (random.normal(size=(TWO_STEPS_FROM, 8)) @ random.normal(size=(8, 384))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = ScopeIndex(384)
    index.put(Entry(memory(f"word{n % 100}", id=str(n)), vector) for n, vector in enumerate(vectors))
    query = vectors[7]
    signals = index.signals(query, "word7")
    assert len(signals.positions) < TWO_STEPS_FROM
    found = signals.positions[list(best_first(signals.dense, at_least=0.1))[:10]]
    assert found.tolist() == np.argsort(-(vectors @ query), kind="stable")[:10].tolist()
    index.put([Entry(memory("late", id="late"), query)])
    assert TWO_STEPS_FROM in index.signals(query, "nothing").positions


def test_signals_tell_which_share_of_the_names_nobody_has_mentioned() -> None:
    index = ScopeIndex(4)
    index.put([Entry(memory("Jonas has a boat"), axis(0))])
    asked = {
        text: index.signals(axis(0), text).unknown_names
        for text in ("Is Jonas here?", "Is Ben here?", "Is Ben with Jonas?")
    }
    assert list(asked.values()) == [0, 1, 0.5]


def test_an_index_that_is_not_searched_holds_memories_and_no_vectors() -> None:
    index = ScopeIndex(4, searched=False)
    first, second, third = memory("alpha", id="a"), memory("beta", id="b"), memory("gamma", id="c")
    index.put([Entry(first, axis(0)), Entry(second, None), Entry(third, None)])
    index.drop(["b"])
    index.put([Entry(replace(first, text="delta"), None)])
    index.prepare()
    assert [one.text for one in index.all()] == ["gamma", "delta"]
    assert (len(index), index.unembedded()) == (2, [])
    assert index.nbytes < ScopeIndex(4).bytes_per_memory * 5
