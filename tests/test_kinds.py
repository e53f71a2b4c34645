"""What sort of request it is: only new words of a person are recalled for and learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.models import Kind, Message, Role, Text, Turn
from litellm_memory.request.kinds import built_in_rules, classify, is_trivial
from litellm_memory.settings import KindRule


def said(role: Role, *texts: str, tools: bool = False) -> Message:
    return Message(role, tuple(Text(text, (number,)) for number, text in enumerate(texts)), tools)


def turn(
    *messages: Message,
    tools: bool = False,
    max_tokens: int | None = None,
    output_keys: tuple[str, ...] = (),
) -> Turn:
    return Turn(messages, tools=tools, max_tokens=max_tokens, output_keys=output_keys)


ASKS = said("person", "Which port does the heron listen on?")
ANSWERS = said("assistant", "On 7070.")
CALLS = said("assistant", tools=True)
RESULT = Message("tool", tools=True)
REMINDER = "<system-reminder>\nToday is a Sunday.\n</system-reminder>"


@pytest.mark.parametrize(
    ("asked", "kind", "reason"),
    [
        pytest.param(turn(), "other", "no_messages", id="nothing"),
        pytest.param(turn(said("system", "Be brief.")), "other", "no_own_words", id="only a system text"),
        pytest.param(turn(ASKS), "person", "own_words", id="one message"),
        pytest.param(turn(said("system", "Be brief."), ASKS), "person", "own_words", id="after a system text"),
        pytest.param(turn(ASKS, said("system", "Agents: none.")), "person", "own_words", id="before a system text"),
        pytest.param(turn(ASKS, ANSWERS, ASKS, tools=True), "person", "own_words", id="a later turn"),
        pytest.param(turn(said("person", REMINDER, "And the host?")), "person", "own_words", id="beside a wrapper"),
        pytest.param(turn(ASKS, said("person", REMINDER)), "person", "own_words", id="before a wrapper alone"),
        pytest.param(turn(said("person", REMINDER)), "other", "no_own_words", id="a wrapper alone"),
        pytest.param(turn(said("person")), "other", "no_own_words", id="an image alone"),
        pytest.param(turn(ASKS, said("person")), "other", "no_own_words", id="an image after words"),
        pytest.param(turn(ASKS, CALLS, RESULT), "continuation", "tool_result", id="a tool's result"),
        pytest.param(
            turn(ASKS, CALLS, RESULT, said("system", "Hurry.")), "continuation", "tool_result", id="then a system text"
        ),
        pytest.param(
            turn(ASKS, CALLS, said("person", REMINDER, tools=True)),
            "continuation",
            "tool_result",
            id="a tool's result with a wrapper",
        ),
        pytest.param(
            turn(
                ASKS,
                CALLS,
                said("person", "[Request interrupted by user for tool use]", "Use the other file.", tools=True),
            ),
            "person",
            "own_words",
            id="words typed into a tool loop",
        ),
        pytest.param(
            turn(ASKS, CALLS, said("person", "Always use tabs.", tools=True)),
            "continuation",
            "tool_result",
            id="a text beside a tool's result",
        ),
        pytest.param(
            turn(ASKS, CALLS, RESULT, said("person", REMINDER)), "continuation", "tool_result", id="a wrapper after it"
        ),
        pytest.param(turn(ASKS, ANSWERS), "continuation", "assistant_last", id="an answer to go on with"),
        pytest.param(turn(ASKS, max_tokens=2), "person", "own_words", id="few tokens"),
        pytest.param(turn(ASKS, output_keys=("answer",)), "person", "own_words", id="an answer in JSON"),
        pytest.param(
            turn(said("person", "What does ### Task: mean?")), "person", "own_words", id="a mark inside a sentence"
        ),
    ],
)
def test_the_shape_of_a_conversation_tells_its_kind(asked: Turn, kind: Kind, reason: str) -> None:
    assert classify(asked, {}) == (kind, reason)


@pytest.mark.parametrize(
    ("asked", "kind", "reason"),
    [
        pytest.param(turn(ASKS, max_tokens=1), "probe", "one_token", id="one token"),
        pytest.param(turn(said("person", "Warmup")), "probe", "claude_code_warmup", id="a warm-up"),
        pytest.param(turn(said("person", "Warmup of the engine?")), "person", "own_words", id="not a warm-up"),
        pytest.param(
            turn(ASKS, ANSWERS, said("person", "And?", "CRITICAL: Respond with TEXT ONLY. No tools."), tools=True),
            "compaction",
            "claude_code_compaction",
            id="Claude Code compacts beside a question",
        ),
        pytest.param(
            turn(ASKS, ANSWERS, said("person", "Your task is to create a detailed summary of the conversation so far")),
            "compaction",
            "summary_of_conversation",
            id="a summary of the conversation",
        ),
        pytest.param(
            turn(ASKS, ANSWERS, said("person", "You are performing a CONTEXT CHECKPOINT COMPACTION. Hand over.")),
            "compaction",
            "codex_compaction",
            id="Codex compacts",
        ),
        pytest.param(
            turn(said("system", "You are an anchored context summarization assistant."), ASKS),
            "compaction",
            "opencode_compaction",
            id="opencode compacts",
        ),
        pytest.param(turn(ASKS, output_keys=("title",)), "side_call", "title_schema", id="a title in JSON"),
        pytest.param(
            turn(ASKS, output_keys=("title", "isNewTopic")), "side_call", "topic_schema", id="a topic in JSON"
        ),
        pytest.param(turn(ASKS, output_keys=("title", "body")), "person", "own_words", id="a title and more"),
        pytest.param(turn(ASKS, output_keys=("title",), tools=True), "person", "own_words", id="a title, with tools"),
        pytest.param(
            turn(said("system", "cc=1", "Generate a concise, sentence-case title (3-7 words)."), ASKS),
            "side_call",
            "claude_code_title",
            id="Claude Code's title",
        ),
        pytest.param(
            turn(said("person", "Please write a 5-10 word title for the following conversation:")),
            "side_call",
            "claude_code_title",
            id="Claude Code's title, an older form",
        ),
        pytest.param(
            turn(said("system", "Analyze if this message indicates a new conversation topic."), ASKS),
            "side_call",
            "claude_code_topic",
            id="Claude Code's topic",
        ),
        pytest.param(
            turn(ASKS, ANSWERS, said("person", "[SUGGESTION MODE: Say what comes next]"), tools=True),
            "side_call",
            "claude_code_suggestion",
            id="Claude Code's suggestion",
        ),
        pytest.param(
            turn(ASKS, ANSWERS, said("person", "The user stepped away and is coming back. Recap.")),
            "side_call",
            "claude_code_recap",
            id="Claude Code's recap",
        ),
        pytest.param(
            turn(said("system", "You are a security monitor for autonomous AI coding agents."), ASKS),
            "side_call",
            "claude_code_security",
            id="Claude Code's security check",
        ),
        pytest.param(
            turn(said("person", "\nWeb page content:\n---\nThe heron listens on 7070.\n---")),
            "side_call",
            "claude_code_web_page",
            id="Claude Code reads a page",
        ),
        pytest.param(
            turn(said("person", "### Task:\nGenerate 1-3 broad tags.")), "side_call", "open_webui_task", id="Open WebUI"
        ),
        pytest.param(
            turn(said("person", "### Task:\nRespond to the user query using the provided context.\nWhich port?")),
            "other",
            "open_webui_documents",
            id="Open WebUI with documents",
        ),
        pytest.param(
            turn(said("system", "You are a title generator. One line."), ASKS),
            "side_call",
            "opencode_title",
            id="opencode's title",
        ),
        pytest.param(
            turn(said("person", "Generate a title for this conversation:\n"), ASKS),
            "side_call",
            "opencode_title",
            id="opencode's title, in a message before",
        ),
        pytest.param(
            turn(said("system", "Generate concise conversation titles."), ASKS),
            "side_call",
            "gptme_title",
            id="gptme's title",
        ),
        pytest.param(
            turn(said("person", "Given the following... please reply with a title for the chat that is short.")),
            "side_call",
            "continue_title",
            id="Continue's title",
        ),
        pytest.param(
            turn(said("system", "You are now acting as the managed memory extraction subagent."), ASKS, tools=True),
            "subagent",
            "qwen_memory",
            id="Qwen Code's own memory",
        ),
        pytest.param(
            turn(said("system", "You are now acting as the managed memory extraction subagent."), ASKS, CALLS, RESULT),
            "subagent",
            "qwen_memory",
            id="its tool loop",
        ),
        pytest.param(
            turn(said("person", "[Request interrupted by user for tool use]", "Use the other file.")),
            "person",
            "own_words",
            id="words after an interruption",
        ),
    ],
)
def test_clients_side_calls_are_known(asked: Turn, kind: Kind, reason: str) -> None:
    assert classify(asked, {}) == (kind, reason)


@pytest.mark.parametrize(
    ("headers", "kind", "reason"),
    [
        pytest.param(
            {"x-codex-turn-metadata": '{"request_kind":"turn","thread_source":"user"}'}, "person", "", id="turn"
        ),
        pytest.param(
            {"x-codex-turn-metadata": '{"thread_source":"user", "request_kind": "compaction"}'},
            "compaction",
            "codex_compaction",
            id="Codex compacts",
        ),
        pytest.param(
            {"x-codex-turn-metadata": '{"request_kind":"turn","thread_source":"thread_title"}'},
            "side_call",
            "codex_title",
            id="Codex's title",
        ),
        pytest.param(
            {"x-codex-turn-metadata": '{"request_kind":"turn","thread_source":"subagent"}'},
            "subagent",
            "codex_subagent",
            id="Codex's subagent",
        ),
        pytest.param(
            {"x-codex-turn-metadata": '{"request_kind":"prewarm","thread_source":"user"}'},
            "other",
            "codex_background",
            id="another request of Codex",
        ),
        pytest.param({"x-openai-subagent": "review"}, "subagent", "codex_subagent", id="Codex's review"),
        pytest.param({"x-openai-subagent": "compact"}, "compaction", "codex_compaction", id="Codex's compaction task"),
        pytest.param({"x-claude-code-request-class": "main"}, "person", "", id="Claude Code's main class"),
        pytest.param(
            {"x-claude-code-request-class": "compaction"}, "compaction", "claude_code_compaction", id="its compaction"
        ),
        pytest.param(
            {"x-claude-code-request-class": "auxiliary"}, "side_call", "claude_code_auxiliary", id="its side-call"
        ),
        pytest.param({"x-claude-code-agent-id": "a-1"}, "subagent", "claude_code_subagent", id="its subagent"),
        pytest.param({"x-parent-session-id": "s-1"}, "subagent", "opencode_subagent", id="opencode's subagent"),
        pytest.param({"x-initiator": "user"}, "person", "", id="Copilot, by a person"),
        pytest.param({"x-initiator": "agent"}, "continuation", "copilot_agent", id="Copilot, by its agent"),
    ],
)
def test_clients_say_in_headers_what_a_request_is(headers: Mapping[str, str], kind: Kind, reason: str) -> None:
    assert classify(turn(ASKS, tools=True), headers) == (kind, reason or "own_words")


def test_all_conditions_of_a_rule_must_hold() -> None:
    rules = [KindRule.model_validate({"name": "both", "kind": "other", "text": "Which", "tools": True})]
    assert [classify(turn(ASKS, tools=tools), {}, rules) for tools in (True, False)] == [
        ("other", "both"),
        ("person", "own_words"),
    ]


def test_the_first_rule_that_holds_decides() -> None:
    rules = [KindRule(name=name, kind="other", tools=False) for name in ("first", "second")]
    assert classify(turn(ASKS), {}, rules) == ("other", "first")


def test_rules_of_the_settings_go_before_the_built_in_ones() -> None:
    rules = [KindRule.model_validate({"name": "quick_answers", "kind": "side_call", "headers": {"X-App": "^quick"}})]
    asked = turn(ASKS, max_tokens=1)
    assert classify(asked, {"x-app": "quick/2"}, rules) == ("side_call", "quick_answers")
    assert classify(asked, {"x-app": "slow/2"}, rules) == ("probe", "one_token")


@pytest.mark.parametrize(
    ("asked", "kind", "reason"),
    [
        pytest.param(turn(said("person", "### Task: water the plants")), "person", "plants", id="new words"),
        pytest.param(turn(ASKS, CALLS, RESULT), "continuation", "tool_result", id="a tool's result"),
        pytest.param(turn(ASKS, said("person", REMINDER)), "person", "plants", id="a wrapper behind new words"),
        pytest.param(turn(said("system", "Garden.")), "other", "no_own_words", id="no words"),
    ],
)
def test_a_rule_that_says_person_leaves_it_to_the_shape(asked: Turn, kind: Kind, reason: str) -> None:
    """It exempts a program from the built-in rules, and cannot make words of a person where there are none."""
    rules = [KindRule.model_validate({"name": "plants", "kind": "person", "headers": {"x-app": "garden"}})]
    assert classify(asked, {"x-app": "garden"}, rules) == (kind, reason)


def test_no_built_in_rule_makes_a_request_a_persons() -> None:
    assert "person" not in {rule.kind for rule in built_in_rules()}


ROLES: tuple[Role, ...] = get_args(Role)
MESSAGES = st.builds(said, st.sampled_from(ROLES), st.text(), tools=st.booleans())


@given(messages=st.lists(MESSAGES), headers=st.dictionaries(st.sampled_from(["x-initiator", "user-agent"]), st.text()))
def test_any_request_has_a_kind(messages: list[Message], headers: dict[str, str]) -> None:
    kind, reason = classify(turn(*messages), headers)
    assert kind in get_args(Kind)
    assert reason


@pytest.mark.parametrize("words", ["Hi!", "hello ...", " HEY", "ok", "Yes.", "thank you!", "nope", "", "abc", "42\n"])
def test_greetings_and_acknowledgements_are_trivial(words: str) -> None:
    assert is_trivial(words)


@pytest.mark.parametrize("words", ["Who are you?", "what is your name", "What are your names?", "what can you do here"])
def test_questions_to_the_assistant_about_itself_are_trivial(words: str) -> None:
    assert is_trivial(words)


@pytest.mark.parametrize(
    "words", ["yes, the blue one", "high", "hi, which port?", "okay then go", "abcd", "So who are you?", "a\nb c"]
)
def test_other_words_are_not_trivial(words: str) -> None:
    assert not is_trivial(words)
