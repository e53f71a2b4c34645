"""Which memories go into a block beside its best ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from bed.remembered import memory

from litellm_memory.index.beside import IndexBeside
from litellm_memory.index.ranking import Floats
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import search
from litellm_memory.models import Scope
from litellm_memory.store import Entry

DAY = datetime(2026, 1, 1, tzinfo=UTC)
QUERY = Query("zebra", Scope("p", "u"), 24, 0.2, tokens=1000)


def towards(query: float, first: float) -> Floats:
    """A unit vector with these cosines to the query's and to what the first memory says besides."""
    return np.array([query, first, np.sqrt(max(0.0, 1 - query**2 - first**2))], np.float32)


ASKED, FIRST = towards(1, 0), towards(0.6, 0.8)
ALIKE, UNLIKE = towards(0.36, 0.8), towards(0.36, -0.2)


def index_of(*vectors: Floats | None, minutes: int = 1000) -> ScopeIndex:
    """Memories of one day without sessions, named by their places, so many minutes after one another."""
    index = ScopeIndex(3)
    index.put(
        Entry(memory(f"said {n}", kind="episode", created=DAY + timedelta(minutes=minutes * n)), vector)
        for n, vector in enumerate(vectors)
    )
    return index


def given(index: ScopeIndex | IndexBeside, query: Query = QUERY) -> list[str]:
    return [item.memory.text for item in search(index, ASKED, query, DAY + timedelta(days=30)).recalled]


def test_of_two_that_answer_as_well_the_one_that_goes_with_the_best_is_added() -> None:
    assert given(index_of(FIRST, ALIKE, UNLIKE)) == ["said 0", "said 1"]


def test_both_are_found_by_a_search_that_fills_no_block() -> None:
    everything = Query("zebra", Scope("p", "u"), 24, 0.2)
    assert sorted(given(index_of(FIRST, ALIKE, UNLIKE), everything)) == ["said 0", "said 1", "said 2"]


@pytest.mark.parametrize(("minutes", "count"), [(1, 2), (1000, 1)], ids=["said beside it", "said on another day"])
def test_what_was_said_beside_the_best_is_added_sooner(minutes: int, count: int) -> None:
    assert len(given(index_of(FIRST, towards(0.36, -0.1), minutes=minutes))) == count


def test_a_memory_of_the_team_is_held_against_one_of_ones_own() -> None:
    shared = ScopeIndex(3)
    layer = Scope("layer.1", "shared")
    shared.put(
        Entry(memory(f"shared {n}", kind="episode", created=DAY, partition=layer.partition, user=layer.user), vector)
        for n, vector in enumerate((ALIKE, UNLIKE))
    )
    query = Query("zebra", QUERY.scope, 24, 0.2, tokens=1000, shared=layer)
    assert given(IndexBeside(index_of(FIRST), shared), query) == ["said 0", "shared 0"]
