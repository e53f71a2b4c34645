"""Texts to words, in every script."""

from __future__ import annotations

import pytest

from litellm_memory.text.words import is_english, names, same_text, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The dog's databases, and HERON-42!", ["dog", "databas", "heron", "42"]),
        ("Straße ﬁnal", ["strass", "final"]),
        ("База данных называется цапля", ["баз", "дан", "называ", "цапл"]),
        ("قاعدة البيانات", ["قاعد", "بيان"]),
        ("我的数据库", ["我的", "的数", "数据", "据库"]),
        ("東京タワーGPT", ["东京", "京タ", "タワ", "ワー", "gpt"]),
        ("บ้าน", ["บ้", "้า", "าน"]),
        ("고양이를", ["고양", "양이", "이를"]),
        ("ο σκύλος, τον σκύλο", ["σκυλ", "σκυλ"]),
        ("हिन्दी डेटाबेस", ["हिन्द", "डेटाबेस"]),
        ("", []),
    ],
    ids=["english", "german", "russian", "arabic", "chinese", "japanese", "thai", "korean", "greek", "hindi", "empty"],
)
def test_words_of_every_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_the_same_words_are_the_same_text_whatever_their_case_space_and_end() -> None:
    assert same_text("  My cat\tis  ADA. ") == same_text("my cat is Ada")
    assert same_text("My cat is Ada") != same_text("My cat is not Ada")


def test_english_words_meet_whatever_their_ending() -> None:
    assert words("She paints; he painted a painting") == [*words("paint paint paint")]


def test_a_german_noun_is_no_name() -> None:
    assert names("Wie heißt unsere Datenbank in Köln?") == set()
    assert names("What did Anna say?") == {"anna"}


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("What is in the box?", True),
        ("Kubernetes upgrade", True),
        ("Where is the Rue de la Paix?", True),
        ("Où est mon vélo ?", False),
        ("Wie heißt meine Datenbank in Köln?", False),
        ("Как зовут мою собаку?", False),
    ],
)
def test_whether_a_text_is_english(text: str, english: bool) -> None:
    assert is_english(text) is english
