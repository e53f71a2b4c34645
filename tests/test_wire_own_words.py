"""What clients put around a person's words, and what is left without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.models import Message, Role, Text
from litellm_memory.wire.own_words import OPENING_WRAPPERS, WRAPPERS, own_words
from litellm_memory.wire.shapes import repeats_a_file

WORDS = "My till listens on port 9100."


def said(*texts: str, role: Role = "person") -> Message:
    return Message(role, tuple(Text(text, ("messages", 0, "content", at, "text")) for at, text in enumerate(texts)))


def typed(*texts: str) -> list[str]:
    return [text.text for text in own_words(said(*texts))]


COMPOUND = [
    "bash-input",
    "local-command-stdout",
    "task-notification",
    "ide_opened_file",
    "environment_context",
    "session_context",
    "environment_details",
    "current_datetime",
    "claude-mem-context",
    "observed_from_primary_session",
    "an-element_of_nobody",
]


@pytest.mark.parametrize("tag", [*WRAPPERS, *OPENING_WRAPPERS, *COMPOUND])
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
        pytest.param(f"[Discord 2026-03-18 11:45] {WORDS}", id="a chat bridge"),
        pytest.param(f"[06:18 PM on 07 March, 2026]: {WORDS}", id="a time"),
        pytest.param(f"[Telegram Ada id:77 +2m 2026-03-18T11:45Z] {WORDS}\n[message_id: 4711]", id="a message's id"),
        pytest.param(f"Ada Smith: {WORDS}", id="a name"),
        pytest.param(f'Sender (untrusted metadata):\n```json\n{{"id": 7}}\n```\n\n{WORDS}', id="a bridge's JSON"),
        pytest.param(
            f"System: [2026-03-18 11:45:02] The channel is up.\n\n[Telegram Ada 2026-03-18 11:46] {WORDS}",
            id="an event",
        ),
        pytest.param(
            f"[Chat messages since your last reply]\nBob: hi\n\n[Current message - respond to this]\n{WORDS}",
            id="what a group said before",
        ),
        pytest.param(
            f"[[ ## context ## ]]\n[1] A manual.\n\n[[ ## question ## ]]\n{WORDS}\n\nRespond with the corresponding "
            "output fields, starting with the field `[[ ## answer ## ]]`.",
            id="DSPy",
        ),
        pytest.param(
            f"\nCurrent Task: {WORDS}\n\nThis is the expected criteria for your final answer: A port.\n\nBegin!",
            id="CrewAI",
        ),
        pytest.param(f"You have these tools:\nsearch\n\nBegin!\n\nQuestion: {WORDS}\nThought: I look.", id="LangChain"),
        pytest.param(
            f"<system-reminder>\nThe user sent the following message:\n{WORDS}\n\nPlease address it.</system-reminder>",
            id="typed while the agent worked",
        ),
        pytest.param(
            f"<command-name>/model</command-name>\n<local-command-stdout>Set.</local-command-stdout>\n{WORDS}",
            id="after a command of the client alone",
        ),
        pytest.param(
            f"<command-name>/go</command-name>\n<command-args>{WORDS}</command-args>\n\nNever guess.",
            id="what a command was given",
        ),
    ],
)
def test_labels_and_frames_are_taken_off(text: str) -> None:
    assert typed(text) == [WORDS]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Base directory for this skill: /x\n\n# Tables\n\nAlways sort them.", id="a skill"),
        pytest.param("---\nname: tables\ndescription: Sorts.\n---\n\nAlways sort them.", id="a file with front matter"),
        pytest.param("Implement the following plan:\n\n# Plan\n\n- Never touch the till.", id="a plan"),
        pytest.param("Stop hook feedback:\nFrom now on run the tests.", id="a hook"),
        pytest.param("PostToolUse:Edit hook additional context: Always format.", id="a hook of a tool"),
        pytest.param("[SYSTEM NOTIFICATION - NOT USER INPUT]\nA job has ended.", id="a notification"),
        pytest.param("Another Claude session sent a message:\nWe use tabs here.", id="another session"),
        pytest.param("[cron:7f2 Morning news] Look up the news. I want three lines.", id="a timer"),
        pytest.param("[Sat 2026-11-21 10:48 UTC] [Subagent Context] You run for another.", id="a subagent's context"),
        pytest.param("System: [2026-03-18 11:45:02 UTC] The channel is up again.", id="an event"),
        pytest.param("Read NOTES.md and follow it. If nothing is due, reply HEARTBEAT_OK.", id="a heartbeat"),
        pytest.param("Follow START.md. When done, reply with ONLY: NO_REPLY.", id="a start"),
        pytest.param("A new session was started via /new or /reset. Greet the person.", id="a new session"),
        pytest.param("[WhatsApp Garden club +49 170 1234567 2026-03-18 11:45] Bob: I prefer tea.", id="one of a group"),
        pytest.param("<command-name>/go</command-name>\n\nAlways sort the tables.", id="the text of a command"),
        pytest.param(
            "You are an observer of another session. Record what was learned from each message as observations in XML:"
            " <observation>...</observation>",
            id="a memory product's observer",
        ),
        pytest.param(
            "<PREVIOUS MESSAGES>\nhi\n</PREVIOUS MESSAGES>\n<CURRENT MESSAGE>\nI live in Leeds.\n</CURRENT MESSAGE>\n"
            "Given the conversation above, extract the entities that the current message names, as a JSON list.",
            id="a memory product's graph",
        ),
    ],
)
def test_what_a_machine_wrote_is_not_the_persons(text: str) -> None:
    assert typed(text) == []


def test_a_text_after_a_commands_tags_is_the_commands() -> None:
    assert typed("<command-message>go</command-message>\n<command-name>/go</command-name>", "Always sort.") == []


def test_files_that_a_client_appends_are_not_the_persons() -> None:
    files = (
        "\n--- Content from referenced files ---\n",
        "Content from @a.md:\n",
        "Always sort.",
        "--- End of content ---",
    )
    assert typed(WORDS, *files, "And the host?") == [WORDS, "And the host?"]
    assert typed(WORDS + "".join(files)) == [WORDS]


def test_a_message_after_a_commands_tags_is_the_commands() -> None:
    tags, text = said("<command-name>/go</command-name>"), said("Always sort.")
    assert [own_words(text, tags), own_words(text, said("/go")), own_words(tags)] == [(), text.texts, ()]


def test_beside_a_tools_result_only_an_interruption_makes_words_the_persons() -> None:
    texts = tuple(Text(text, (at,)) for at, text in enumerate(("Always sort.", "[Request interrupted by user]", WORDS)))
    assert [text.text for text in own_words(Message("person", texts, tools=True))] == [WORDS]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[2026-03-18 11:45:02] up\n[2026-03-18 11:45:07] down", id="a log"),
        pytest.param("Ada: I like tea.\nBob: I like coffee.", id="a chat of two"),
        pytest.param("Decision: the till stays.", id="a word before a colon"),
        pytest.param("The service should respond with NOT_FOUND then.", id="a constant"),
        pytest.param("We have a git hook for this: it formats.", id="a hook of the person"),
        pytest.param("Another agent called me today.", id="another agent"),
        pytest.param("[URGENT] the till is down", id="a word in brackets"),
        pytest.param("You are a good cook. Write me a menu for six.", id="a part to play"),
        pytest.param("Extract the port from this log, please.", id="an order"),
        pytest.param("We record preferences per session as JSON. Why is the table empty?", id="a data model"),
        pytest.param("Is <my-button>Go</my-button> valid?", id="an element in a sentence"),
    ],
)
def test_what_only_looks_like_a_machines_stays(text: str) -> None:
    assert typed(text) == [text]


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        pytest.param("# Tables\n\nAlways sort them.\n\n## Rows\n\n- Never skip one.", True, id="a file"),
        pytest.param("Use this:\n\n# Tables\n\n- Always sort.\n- Never skip.", True, id="with a line before it"),
        pytest.param("# About me\n\n- I live in Leeds.\n- My cat is old.", False, id="somebody says I"),
        pytest.param("# Tables\n\nSort them.", False, id="one heading"),
        pytest.param("Sort the tables:\n\n- rows\n- columns", False, id="a list"),
    ],
)
def test_a_file_has_headings_and_steps_and_nobody_says_i(text: str, *, is_file: bool) -> None:
    assert repeats_a_file(text) is is_file


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
