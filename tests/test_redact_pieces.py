"""A long text is searched piece by piece, and nothing is found or missed by that."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.redact import pieces
from litellm_memory.redact.rules import redact

PATTERNS = (r"a[b1]{1,20}", r"(?m)^a.{0,10}$", r"(?<!b)a{2,8}(?!1)", r"(?<=b{3})1", r"(?s)a.*?(?:1|\Z)")


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text("ab1 =\n", max_size=400))
def test_each_match_is_what_finditer_finds(pattern: str, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", 20)
        patch.setattr(pieces, "BEYOND", 30)
        found = [match.span() for match in pieces.each_match(re.compile(pattern), text)]
    assert found == [match.span() for match in re.finditer(pattern, text)]


@pytest.mark.parametrize("shift", range(-40, 41, 8))
def test_a_secret_on_the_edge_of_a_piece_is_found(shift: int) -> None:
    before = "We met in the mill. " * ((pieces.PIECE * 3) // 20)
    before = before[: pieces.PIECE + shift]
    said = f"{before} sk-ant-api03-{'Ab1' * 20} {'and then we went home. ' * 3000}"
    assert redact(said) == said.replace(f"sk-ant-api03-{'Ab1' * 20}", "[REDACTED:anthropic-key]")
