"""What tries to steer a model waits for its owner's word; what anybody may wish does not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest
from corpus.poison import POISON, WISHES
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.learn import memories_of
from litellm_memory.models import Exchange, Memory, Recalled, Scope
from litellm_memory.recall import Query, visible
from litellm_memory.render import CLOSING, OPENING, render
from litellm_memory.screening import why_to_review
from litellm_memory.settings import LearnSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID = Exchange("call", Scope("p", "ada"), "mark", "", NOW)


def learned(text: str) -> list[Memory]:
    return memories_of(replace(SAID, text=text), LearnSettings(), b"key")


def test_nearly_every_attack_waits_for_review() -> None:
    assert len(POISON) >= 60
    passed = [text for text in POISON if why_to_review(text) is None]
    assert len(passed) <= len(POISON) // 20, passed


@pytest.mark.parametrize("text", WISHES)
def test_an_ordinary_wish_does_not_wait(text: str) -> None:
    assert why_to_review(text) is None


def test_what_is_learned_from_an_attack_is_kept_and_not_recalled() -> None:
    memories = [memory for text in POISON if why_to_review(text) for memory in learned(text)]
    query = Query("x", SAID.scope, limit=8, min_score=0.0)
    assert [memory.text for memory in memories if why_to_review(memory.text) and visible(memory, query, NOW)] == []
    assert len({memory.text for memory in memories if memory.review}) > len(POISON) // 2


def test_always_use_tabs_becomes_a_memory_at_once() -> None:
    memories = learned("Always use tabs in this project.")
    assert memories
    assert [memory.review for memory in memories] == [None] * len(memories)


@pytest.mark.parametrize("form", ["xml", "markdown"])
@pytest.mark.parametrize("kind", ["instruction", "fact", "episode"])
def test_no_attack_leaves_its_entry_of_the_block(form: Literal["xml", "markdown"], kind: str) -> None:
    tag = re.compile(r"</?(?:entry|standing_wish|answer_then)\b[^>]*>")
    for text in POISON:
        memory = Memory("1", "p", "ada", text, kind, NOW, reply=text)  # type: ignore[arg-type]  # pytest knows no Literal
        block = render([Recalled(memory, 1.0)], form).text
        assert block.startswith(OPENING)
        assert block.endswith(CLOSING)
        inside = block.removeprefix(OPENING).removesuffix(CLOSING)
        assert not re.search(r"[<>]", tag.sub("", inside))


@given(st.text())
def test_any_text_can_be_screened(text: str) -> None:
    why_to_review(text)
