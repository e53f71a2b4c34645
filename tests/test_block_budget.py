"""What fits into a block."""

from __future__ import annotations

from bed.remembered import memory

from litellm_memory.models import Memory
from litellm_memory.render import BlockBudget


def fill(memories: list[Memory], **fields: object) -> dict[str, str | None]:
    """Why each of these memories in turn is not added to a block, by their text; None where it is."""
    given = {"tokens": None, "limit": 8, "layout": None, "name_projects": False, **fields}
    budget = BlockBudget(**given)  # type: ignore[arg-type]  # a table of fields
    return {one.text: budget.try_add(one) for one in memories}


def test_the_budget_keeps_the_best_that_fit_whole() -> None:
    memories = [memory(name, tokens=size) for name, size in (("a", 50), ("b", 60), ("c", 40))]
    frame, heading, entries = 39, 8, 2 * 2
    assert fill(memories, tokens=90 + frame + heading + entries) == {"a": None, "b": "budget", "c": None}
    assert fill(memories, limit=1) == {"a": None, "b": "limit", "c": "limit"}


def test_what_a_block_says_already_is_not_added_again() -> None:
    long = memory("My cat Ada sleeps all day", id="1", kind="episode", message="m1")
    memories = [
        long,
        memory("My cat Ada", id="2"),
        memory("The person has a cat called Ada", id="3", message="m1"),
        memory("The person has a dog", id="4", message="m2"),
    ]
    assert list(fill(memories).values()) == [None, "repeated", "repeated", None]
