"""A long text that comes again from another session or user was not typed by a person."""

from __future__ import annotations

import pytest

from litellm_memory.models import Scope
from litellm_memory.request import templates
from litellm_memory.request.templates import BEGINNING, LONG, Templates

ADA = Scope("p", "ada", session="s-1")
FORM = "Sum up the day for the team, and never leave out the weather. " * (LONG // 50)


@pytest.mark.parametrize(
    ("text", "scope", "known"),
    [
        pytest.param(FORM, Scope("p", "ada", session="s-2"), True, id="another session"),
        pytest.param(FORM, Scope("p", "bob", session="s-1"), True, id="another user"),
        pytest.param(FORM + "Today it rains.", Scope("p", "bob"), True, id="filled in"),
        pytest.param(FORM, ADA, False, id="the same session"),
        pytest.param("Today. " + FORM, Scope("p", "bob"), False, id="another beginning"),
        pytest.param(FORM[:BEGINNING], Scope("p", "bob"), False, id="a short text"),
    ],
)
def test_a_long_text_is_known_from_elsewhere(text: str, scope: Scope, *, known: bool) -> None:
    seen = Templates()
    assert [seen.known(FORM, ADA), seen.known(text, scope)] == [False, known]


def test_sessions_that_nobody_named_are_not_told_apart() -> None:
    seen = Templates()
    assert [seen.known(FORM, Scope("p", "ada")), seen.known(FORM + "And?", Scope("p", "ada"))] == [False, False]


def test_the_oldest_texts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST", 1)
    seen = Templates()
    assert not seen.known(FORM, ADA)
    assert not seen.known("Another one. " + FORM, ADA)
    assert not seen.known(FORM, Scope("p", "bob"))
