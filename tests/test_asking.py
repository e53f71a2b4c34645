"""What a question asks about, in scripts with and without spaces between words."""

from __future__ import annotations

import pytest

from litellm_memory.text.asking import asked_terms, said_terms
from litellm_memory.text.words import words


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What is my name?", ["name"]),
        ("我叫什么名字？", ["叫"]),
        ("我叫什麼名字？", ["叫"]),
        ("我住在哪里？", ["住"]),
        ("娘は何を習っていますか？", ["娘", "习っ", "习"]),
        ("강아지 이름이 뭐였죠?", ["강아", "아지", "강", "아", "지"]),
        ("犬の名前は何ですか？", ["犬"]),
        ("我养了什么宠物？", ["养", "宠物"]),
        ("ฉันชื่ออะไร", ["ชื", "ื่", "่อ"]),
        ("Как меня зовут?", ["зовут"]),
        ("ما اسمي؟", words("اسمي")),
        ("मेरा नाम क्या है?", words("नाम")),
    ],
)
def test_only_the_subject_of_a_question_is_searched_for(question: str, asked: list[str]) -> None:
    assert asked_terms(question) == asked


@pytest.mark.parametrize("question", ["你是谁？", "何ですか？", "What is it?", ""])
def test_a_question_without_a_subject_is_searched_for_as_it_is(question: str) -> None:
    assert asked_terms(question) == said_terms(question)


@pytest.mark.parametrize("name", ["Ben", "Kim", "a comment", "a dove"])
def test_no_word_of_another_language_is_taken_for_the_wording(name: str) -> None:
    assert asked_terms(f"Who saw {name}?") == words(f"saw {name}")


def test_what_is_asked_in_english_are_its_words() -> None:
    text = "When did Jonas sell the boat that he bought in May?"
    assert asked_terms(text) == said_terms(text) == words(text)
