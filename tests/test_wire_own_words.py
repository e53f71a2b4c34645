"""What clients put around a person's words, and what is left without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.models import Message, Role, Text
from litellm_memory.wire.own_words import OPENING_WRAPPERS, WRAPPERS, own_words

WORDS = "My till listens on port 9100."


def said(*texts: str, role: Role = "person") -> Message:
    return Message(role, tuple(Text(text, ("messages", 0, "content", at, "text")) for at, text in enumerate(texts)))


def typed(*texts: str) -> list[str]:
    return [text.text for text in own_words(said(*texts))]


@pytest.mark.parametrize("tag", [*WRAPPERS, *OPENING_WRAPPERS])
def test_a_text_that_is_nothing_but_a_wrapper_disappears(tag: str) -> None:
    assert typed(f"<{tag}>\nsome text of the client\n</{tag}>\n\n", WORDS) == [WORDS]
    assert typed(f'<{tag} from="client">x</{tag}>{WORDS}') == [WORDS]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{WORDS}\n\n<system-reminder>Be nice.</system-reminder>", id="behind"),
        pytest.param(f"<system-reminder>a</system-reminder>{WORDS}<system-reminder>b</system-reminder>", id="around"),
        pytest.param(f"<current_datetime>2026-01-01T10:00:00Z</current_datetime>\n\n{WORDS}", id="date before"),
        pytest.param(f"[Sat 2026-01-03 10:48 UTC] {WORDS}", id="OpenClaw's time"),
        pytest.param(f'"{WORDS}"', id="quotes of a run command"),
        pytest.param(f"<task>\n{WORDS}\n</task>", id="an envelope"),
        pytest.param(
            f"<context>c</context>\n<userRequest>\n{WORDS}\n</userRequest>", id="a request in the client's text"
        ),
        pytest.param(f"{WORDS}\n\nTo suggest changes to a file you MUST return all of it.", id="rules behind"),
        pytest.param(
            f"# AGENTS.md instructions for /src\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>\n{WORDS}", id="AGENTS.md"
        ),
        pytest.param(f'<memory note="data"><entry>old</entry></memory>\n\n{WORDS}', id="our block"),
        pytest.param(f'<memory note="data">\n## Remembered\n- old\n</memory>\n\n{WORDS}', id="our block in Markdown"),
        pytest.param(f'<memory context="found"><entry>old</entry></memory>{WORDS}', id="Memento's block"),
        pytest.param(
            f"<system-reminder>A file: </system-reminder> I like it. </system-reminder>{WORDS}",
            id="a closing tag inside of a wrapper",
        ),
    ],
)
def test_the_persons_words_remain(text: str) -> None:
    assert typed(text) == [WORDS]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("What does <system-reminder> do in my prompt?", id="a tag that is not closed"),
        pytest.param("Explain <system>x</system> in this file.", id="a common tag behind words"),
        pytest.param("Is <memory>4 GB</memory> enough?", id="somebody's own memory tag"),
        pytest.param('"yes" or "no"', id="quotes of the person"),
        pytest.param("<task>a</task> and <task>b</task>?", id="tags of the person"),
        pytest.param("[Saturday] we open at 9", id="a bracket"),
        pytest.param("a < b and <b>bold</b>", id="other markup"),
    ],
)
def test_what_a_person_writes_stays_whole(text: str) -> None:
    assert typed(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<system-reminder>\nnever closed", id="unclosed"),
        pytest.param(
            "<system-reminder>a</system-reminder>\n<environment_context>never closed", id="the second unclosed"
        ),
        pytest.param("This session is being continued from a previous conversation that ran out.", id="a summary"),
        pytest.param("[SYSTEM] This run is not complete until you call one of these tools: done.", id="Cline's nudge"),
        pytest.param(" \n", id="blank"),
    ],
)
def test_a_text_that_a_wrapper_opens_is_not_the_persons(text: str) -> None:
    assert typed(text) == []


def test_words_before_an_unclosed_wrapper_are_kept() -> None:
    text = f"<system-reminder>a</system-reminder>{WORDS} <ide_selection> and more"
    assert typed(text) == [f"{WORDS} <ide_selection> and more"]


def test_an_order_to_compact_leaves_the_words_beside_it_as_they_were() -> None:
    assert typed(f"{WORDS}\n", "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\nSum up.") == [WORDS]


def test_escaped_quotes_inside_a_quoted_prompt_come_back() -> None:
    assert typed(r'"the till says \"no paper\""') == ['the till says "no paper"']


def test_the_place_is_that_of_the_text_that_remains() -> None:
    message = said("<system-reminder>x</system-reminder>", WORDS)
    assert own_words(message) == (Text(WORDS, ("messages", 0, "content", 1, "text")),)


@pytest.mark.parametrize("role", ["assistant", "tool", "system"])
def test_only_a_person_has_words(role: Role) -> None:
    assert own_words(said(WORDS, role=role)) == ()


@pytest.mark.parametrize(
    "piece",
    ["<system-reminder>", "</system-reminder>", "<system></system>", "<memory note=", "<userRequest>", '"\\', "<a "],
)
def test_a_megabyte_of_anything_is_read_in_one_pass(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    typed(text)
    typed(f"{WORDS} {text}")
    typed(f"{text}</memory></system-reminder>")


@given(
    st.lists(
        st.sampled_from([*(f"<{t}>" for t in WRAPPERS[:3]), *(f"</{t}>" for t in WRAPPERS[:3]), "word ", '"', "\n"])
    )
)
def test_taking_wrappers_off_never_adds_words(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert all(left.count("word") <= text.count("word") for left in typed(text))
