"""A request under a session's id that opens otherwise than the session: a subagent, a title, or still the person."""

from __future__ import annotations

import pytest

from litellm_memory.models import Message, Role, Scope, Text, Turn
from litellm_memory.request import openings
from litellm_memory.request.kinds import classify
from litellm_memory.request.marks import said_in
from litellm_memory.request.openings import Foreign, Openings

SCOPE = Scope("p", "u", session="s")
MAIN = (
    "You are Finch, who works in a terminal. "
    + "Follow the conventions of each project, and keep your answers short. " * 4
)
AGENT = (
    "You are an agent for searching. "
    + "Complete what you were asked with the tools at hand, then report to your caller. " * 4
)
ASKS: tuple[Role, str] = ("person", "Which port does the heron listen on?")
PROMPT: tuple[Role, str] = ("person", "Search the repository for uses of X. We always use Y there.")
LOOP: list[tuple[Role, str]] = [("assistant", ""), ("tool", "")]
NEXT: list[tuple[Role, str]] = [("assistant", ""), ("person", "And the host?")]


def turn(system: str, *messages: tuple[Role, str], tools: int = 9) -> Turn:
    opening = [Message("system", (Text(system, ("system",)),))] if system else []
    told = [
        Message(role, (Text(text, ("messages", at)),) if text else (), tools=role == "tool")
        for at, (role, text) in enumerate(messages)
    ]
    return Turn((*opening, *told), tools=tools > 0, tool_count=tools)


def judged(known: Openings, asked: Turn, scope: Scope = SCOPE) -> Foreign | None:
    kind, reason = classify(asked, {})
    return known.foreign(asked, scope, said_in(asked, scope, b"key"), kind, reason, note=True)


def opened(*asked: Turn, scope: Scope = SCOPE) -> Openings:
    known = Openings()
    assert [judged(known, one, scope) for one in asked] == [None] * len(asked)
    return known


@pytest.mark.parametrize(
    ("asked", "foreign"),
    [
        pytest.param(turn(AGENT, PROMPT, tools=4), "subagent", id="another agent with fewer tools"),
        pytest.param(turn(AGENT, PROMPT), "subagent", id="another agent with the same tools"),
        pytest.param(turn(AGENT, PROMPT, *LOOP, tools=4), "subagent", id="its tool loop"),
        pytest.param(turn("You name conversations.", ASKS, tools=0), "side_call", id="a title of the first message"),
        pytest.param(turn("", ASKS, tools=0), "side_call", id="the first message alone"),
        pytest.param(turn(MAIN, ASKS, tools=0), "side_call", id="the first message without tools"),
        pytest.param(turn(MAIN, ASKS), None, id="a retry"),
        pytest.param(turn(MAIN, ASKS, *LOOP), None, id="a tool loop"),
        pytest.param(turn(MAIN, ASKS, *LOOP, tools=0), None, id="the last answer of a tool loop, without tools"),
        pytest.param(turn(MAIN, ASKS, *NEXT), None, id="a later message"),
        pytest.param(turn(MAIN + "Today is 2026-03-02. Branch: main.", ASKS, *NEXT), None, id="the next day"),
        pytest.param(turn(MAIN, ASKS, *NEXT, tools=30), None, id="tools of a server added"),
        pytest.param(
            turn("You are made for another model.", ASKS, *NEXT), None, id="another model in mid-conversation"
        ),
        pytest.param(turn("You are made for another model.", ASKS), None, id="another model, asked the same"),
        pytest.param(turn(MAIN, ("person", "Go on with the host.")), None, id="after a compaction"),
        pytest.param(turn(MAIN[:200] + "Doves: 2. Herons: 3. Sparrows: many.", PROMPT), None, id="a looked-up context"),
    ],
)
def test_what_a_request_in_a_known_session_is(asked: Turn, foreign: Foreign | None) -> None:
    assert judged(opened(turn(MAIN, ASKS)), asked) == foreign


@pytest.mark.parametrize(
    ("system", "foreign"),
    [("You find titles. Give this chat a title of four words.", "side_call"), ("You are a poet of few words.", None)],
    ids=["a title", "a second model in the same chat"],
)
def test_without_any_tools_the_same_question_is_a_side_call_where_it_names_the_chat(
    system: str, foreign: Foreign | None
) -> None:
    assert judged(opened(turn(MAIN, ASKS, tools=0)), turn(system, ASKS, tools=0)) == foreign


def test_the_session_is_the_persons_again_after_a_subagent() -> None:
    known = opened(turn(MAIN, ASKS))
    asked = [turn(AGENT, PROMPT, tools=4), turn(MAIN, ASKS, *LOOP), turn(AGENT, PROMPT, *LOOP, tools=4)]
    assert [judged(known, one) for one in asked] == ["subagent", None, "subagent"]


def test_a_session_that_was_first_seen_by_a_subagent_becomes_the_persons() -> None:
    known = opened(turn(AGENT, PROMPT, tools=4), turn(MAIN, ASKS))
    assert judged(known, turn(AGENT, PROMPT, *LOOP, tools=4)) == "subagent"


def test_another_persons_session_of_the_same_name_is_another() -> None:
    assert judged(opened(turn(MAIN, ASKS)), turn(AGENT, PROMPT, tools=4), Scope("p", "v", session="s")) is None


def test_without_a_session_a_persons_request_is_never_foreign() -> None:
    nameless = Scope("p", "u")
    known = opened(turn(MAIN, ASKS), turn(AGENT, PROMPT, tools=4), turn(AGENT, ASKS, tools=4), scope=nameless)
    titles = turn("You are a title generator.", ASKS, tools=0)
    assert (classify(titles, {})[0], judged(known, titles, nameless)) == ("side_call", "side_call")


def test_a_rule_of_the_settings_that_says_person_stands() -> None:
    known, asked = opened(turn(MAIN, ASKS)), turn(AGENT, PROMPT, tools=4)
    said = said_in(asked, SCOPE, b"key")
    assert known.foreign(asked, SCOPE, said, "person", "our_reviewer", note=True) is None


def test_the_oldest_sessions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "MOST_SESSIONS", 2)
    known = opened(turn(MAIN, ASKS))
    for session in ("a", "b"):
        assert judged(known, turn(MAIN, ASKS), Scope("p", "u", session=session)) is None
    assert judged(known, turn(AGENT, PROMPT, tools=4)) is None
