"""What a reader sees of a text is all that is stored, shown and searched."""

from __future__ import annotations

import sys
import unicodedata
from typing import Final

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from litellm_memory.care.given import Said
from litellm_memory.redact import Redactor
from litellm_memory.text.visible import visible

UNSEEN: Final = [
    chr(point)
    for point in range(sys.maxunicode + 1)
    if unicodedata.category(chr(point)) in ("Cc", "Cf") and chr(point) not in "\n\t"
]
SEEN_SIGNS: Final = regex.compile(r"\p{Prepended_Concatenation_Mark}")
BREAKS: Final = "\r\x85"
ENGLAND: Final = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def test_every_control_and_format_character_of_unicode_is_taken_out_of_plain_words() -> None:
    wrong = [
        f"U+{ord(one):04X}"
        for one in UNSEEN
        if visible(f"a{one}b") != ("a\nb" if one in BREAKS else f"a{one}b" if SEEN_SIGNS.match(one) else "ab")
    ]
    assert (len(UNSEEN) > 200, wrong) == (True, [])


@given(
    st.text(st.one_of(st.sampled_from(UNSEEN), st.sampled_from("aé我م१🙂👩❤#1\ufe0f\u200d\u3164\n "), st.characters()))
)
def test_what_is_visible_stays_so_and_nothing_else_is_lost(text: str) -> None:
    seen = visible(text)
    assert visible(seen) == seen
    ignored = regex.compile(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]")
    bare = regex.sub(r"\x1b\[[\d;?]{0,20}[A-Za-z]", "", text)
    assert ignored.sub("", seen) == ignored.sub("", bare)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("👩‍👩‍👧 and ❤️‍🔥", id="joined emoji"),
        pytest.param("❤️ 1️⃣ ☎︎", id="emoji and text style"),
        pytest.param(f"{ENGLAND} won", id="a flag of tags"),
        pytest.param("می‌خواهم", id="Persian"),
        pytest.param("क्‍ष श्री‌मान", id="Hindi"),
        pytest.param("葛󠄀城市", id="a variant of a Chinese character"),
        pytest.param("one\n\ttwo", id="lines and columns"),
    ],
)
def test_what_has_a_meaning_where_it_stands_is_kept(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param("tea\U000e0069\U000e0067\U000e006e", "tea", id="tag characters"),
        pytest.param("\U0001f3f4\U000e0061\U000e0062\U000e0063\U000e007f", "\U0001f3f4", id="tags of no flag"),
        pytest.param("a\u202eb\u2066c", "abc", id="bidirectional controls"),
        pytest.param("pass\u200bword\ufeff", "password", id="zero width"),
        pytest.param("a\ufe01\ufe02b 🙂\ufe0f\ufe0f\U000e0101", "ab 🙂\ufe0f", id="variation selectors"),
        pytest.param("\x1b[31mred\x1b[0m\x00\x07", "red", id="a terminal's orders"),
        pytest.param("a\r\nb\rc\u2028d", "a\nb\nc\nd", id="line breaks"),
        pytest.param("\u3164\u115f", "", id="fillers"),
    ],
)
def test_what_shows_nothing_is_taken_out(text: str, seen: str) -> None:
    assert [visible(text), Redactor().text(text), Redactor(on=False).text(text)] == [seen] * 3


@pytest.mark.parametrize("text", ["\u200b", " \ufeff\u2060 ", "\U000e0041\x00", "\u202e\n"])
def test_a_text_of_nothing_that_can_be_seen_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="can be seen"):
        TypeAdapter(Said).validate_python(text)
