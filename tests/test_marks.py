"""The mark of each message of the person: the same for a message that is sent again, and for no other."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.models import Message, Scope, Text, Turn
from litellm_memory.request import marks
from litellm_memory.request.marks import said_in

KEY = b"key"
SCOPE = Scope("p", "u", project="shop", session="s")
TEXTS = st.lists(st.sampled_from(["", "a", "1:a", "a1:", "yes", "no", "ß\ud800", "\0", "x" * 300]), max_size=9)


def turn(texts: Sequence[str]) -> Turn:
    return Turn(tuple(Message("person", (Text(text, ("messages", n)),)) for n, text in enumerate(texts)))


def found(texts: Sequence[str], scope: Scope = SCOPE, *, key: bytes = KEY, after: str = "") -> list[str]:
    return [said.mark for said in said_in(turn(texts), scope, key, after=after)]


def plainly(texts: Sequence[str], scope: Scope = SCOPE, *, key: bytes = KEY, after: str = "") -> list[str]:
    """The marks by their definition, computed anew."""
    chain = [""]
    parts = (scope.namespace, scope.project or "", scope.session or "", "only" if scope.only_session else "", after)
    own = [stripped for text in texts if (stripped := text.strip())]
    for part in (*parts, *own):
        framed = f"{len(chain[-1])}:{chain[-1]}{part}".encode("utf-8", "surrogatepass")
        chain.append(hmac.digest(key, framed, "sha256").hex()[:40])
    return chain[1 + len(parts) :]


@given(st.lists(TEXTS, max_size=4), st.sampled_from([SCOPE, Scope("p", "v"), Scope("p", "u", only_session=True)]))
def test_marks_do_not_depend_on_what_was_read_before(conversations: list[list[str]], scope: Scope) -> None:
    for texts in conversations:
        for end in range(len(texts) + 1):
            assert found(texts[:end], scope) == plainly(texts[:end], scope)
        assert found(texts, scope, after="m") == plainly(texts, scope, after="m")
        assert found(texts, scope, key=b"other") == plainly(texts, scope, key=b"other")


@pytest.mark.parametrize("changed", [0, 3, 7, 9])
def test_a_changed_message_changes_its_mark_and_those_after_it(changed: int) -> None:
    texts = [f"message {number}" for number in range(10)]
    before = found(texts)
    after = found([*texts[:changed], "something else", *texts[changed + 1 :]])
    assert after[:changed] == before[:changed]
    assert set(after[changed:]).isdisjoint(before)


def test_known_marks_are_few_and_hold_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    known = marks._KnownMarks()
    monkeypatch.setattr(marks, "_known", known)
    monkeypatch.setattr(marks, "MAX_KNOWN_MARKS", 50)
    for number in range(20):
        texts = [f"secret {number} {place}" for place in range(10)]
        assert found(texts) == plainly(texts)
        assert found([*texts, "next"]) == plainly([*texts, "next"])
        assert known._count == sum(map(len, known._marks.values())) <= 50
    assert len(known._marks) == 4
    assert "secret" not in repr(known._marks)


def test_a_conversation_longer_than_what_is_kept_has_its_marks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_known", marks._KnownMarks())
    monkeypatch.setattr(marks, "MAX_KNOWN_MARKS", 5)
    texts = [f"message {number}" for number in range(10)]
    assert found(texts) == found(texts) == plainly(texts)
