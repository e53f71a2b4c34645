"""Bodies of every wire format: read into the same turn, and given blocks without a change to anything else."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.models import Message, Place, Text, Turn
from litellm_memory.wire import (
    WireFormat,
    anthropic_messages,
    bedrock_converse,
    bedrock_invoke,
    gemini_contents,
    ollama,
    openai_chat,
    openai_completions,
    openai_responses,
    with_block,
    with_blocks,
)
from litellm_memory.wire.formats import FORMATS

BLOCK = '<memory note="for reference">\nThe dog is called Biscuit.\n</memory>'

RULES, ASK, LOOK, ANSWER, THANKS = (
    "Answer in one line.",
    "Which port does the bakery's till use?",
    "I will look it up.",
    "It uses 9100.",
    "And the oven?",
)
ANTHROPIC: dict[str, Any] = {
    "model": "m",
    "max_tokens": 500,
    "system": [{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": ASK},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "text", "text": LOOK},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"for": "till"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "9100"}]},
        {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
        {"role": "user", "content": [{"type": "text", "text": THANKS, "cache_control": {"type": "ephemeral"}}]},
    ],
}
CONVERSE: dict[str, Any] = {
    "system": [{"text": RULES}, {"cachePoint": {"type": "default"}}],
    "inferenceConfig": {"maxTokens": 500},
    "toolConfig": {"tools": [{"toolSpec": {"name": "look"}}]},
    "messages": [
        {"role": "user", "content": [{"text": ASK}]},
        {
            "role": "assistant",
            "content": [{"text": LOOK}, {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"for": "till"}}}],
        },
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "9100"}]}}]},
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": ANSWER}]},
        {"role": "user", "content": [{"text": THANKS}]},
    ],
}
CHAT: dict[str, Any] = {
    "model": "m",
    "max_completion_tokens": 500,
    "tools": [{"type": "function", "function": {"name": "look"}}],
    "messages": [
        {"role": "developer", "content": RULES},
        {"role": "user", "content": ASK},
        {
            "role": "assistant",
            "content": LOOK,
            "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "9100"},
        {"role": "assistant", "content": ANSWER},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": THANKS}],
        },
    ],
}
RESPONSES: dict[str, Any] = {
    "model": "m",
    "instructions": RULES,
    "max_output_tokens": 500,
    "tools": [{"type": "function", "name": "look"}],
    "input": [
        {"role": "user", "content": ASK},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": LOOK, "annotations": []}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "t1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "t1", "output": "9100"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": THANKS}]},
    ],
}
GEMINI: dict[str, Any] = {
    "model": "m",
    "systemInstruction": {"parts": [{"text": RULES}]},
    "generationConfig": {"maxOutputTokens": 500},
    "tools": [{"functionDeclarations": [{"name": "look"}]}],
    "contents": [
        {"parts": [{"text": ASK}]},
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True},
                {"text": LOOK},
                {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "s"},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"text": "9100"}}}]},
        {"role": "model", "parts": [{"text": ANSWER}]},
        {"role": "user", "parts": [{"text": THANKS}]},
    ],
}

SPELLINGS = [
    pytest.param(openai_chat.FORMAT, CHAT, id="chat"),
    pytest.param(ollama.FORMAT, CHAT, id="ollama"),
    pytest.param(openai_responses.FORMAT, RESPONSES, id="responses"),
    pytest.param(anthropic_messages.FORMAT, ANTHROPIC, id="anthropic"),
    pytest.param(gemini_contents.FORMAT, GEMINI, id="gemini"),
    pytest.param(bedrock_converse.FORMAT, CONVERSE, id="converse"),
    pytest.param(
        bedrock_invoke.FORMAT, {**ANTHROPIC, "anthropic_version": "bedrock-2023-05-31"}, id="invoke anthropic"
    ),
    pytest.param(bedrock_invoke.FORMAT, {**CONVERSE, "schemaVersion": "messages-v1"}, id="invoke nova"),
    pytest.param(bedrock_invoke.FORMAT, CHAT, id="invoke chat"),
]
ONE_PROMPT = [
    pytest.param(openai_completions.FORMAT, {"model": "m", "prompt": ASK}, ("prompt",), id="completions"),
    pytest.param(openai_responses.FORMAT, {"model": "m", "input": ASK}, ("input",), id="responses"),
    pytest.param(ollama.FORMAT, {"model": "m", "prompt": ASK}, ("prompt",), id="ollama generate"),
    pytest.param(bedrock_invoke.FORMAT, {"prompt": ASK, "max_gen_len": 9}, ("prompt",), id="llama"),
    pytest.param(bedrock_invoke.FORMAT, {"inputText": ASK, "textGenerationConfig": {}}, ("inputText",), id="titan"),
    pytest.param(gemini_contents.FORMAT, {"contents": ASK}, ("contents",), id="gemini string"),
    pytest.param(gemini_contents.FORMAT, {"contents": [ASK]}, ("contents", 0), id="gemini strings"),
    pytest.param(
        gemini_contents.FORMAT,
        {"contents": {"parts": {"text": ASK}}},
        ("contents", "parts", "text"),
        id="gemini objects",
    ),
]


def at(body: Any, place: Place) -> Any:
    for key in place:
        body = body[key]
    return body


def without_blocks(body: Any, blocks: tuple[str, ...]) -> Any:
    """``body`` as it was before any of ``blocks`` was put into it: written without knowing how they were put."""
    if isinstance(body, dict):
        return {key: without_blocks(value, blocks) for key, value in body.items()}
    if isinstance(body, list):
        return [
            without_blocks(item, blocks) for item in body if not (isinstance(item, dict) and item.get("text") in blocks)
        ]
    for block in blocks:
        if isinstance(body, str) and body.startswith(block + "\n\n"):
            return without_blocks(body.removeprefix(block + "\n\n"), blocks)
    return body


@pytest.mark.parametrize(("wire_format", "body"), SPELLINGS)
def test_one_conversation_reads_the_same_in_every_format(wire_format: WireFormat, body: dict[str, Any]) -> None:
    turn = wire_format.read(body)
    assert turn is not None
    assert [(message.role, [text.text for text in message.texts], message.tools) for message in turn.messages] == [
        ("system", [RULES], False),
        ("person", [ASK], False),
        ("assistant", [], True),
        ("tool", [], True),
        ("assistant", [], False),
        ("person", [THANKS], False),
    ]
    assert (turn.tools, turn.max_tokens, turn.model) == (True, 500, body.get("model"))


@pytest.mark.parametrize(("wire_format", "body"), SPELLINGS)
def test_every_text_is_where_its_place_says(wire_format: WireFormat, body: dict[str, Any]) -> None:
    turn = wire_format.read(body)
    assert turn is not None
    found = [text for message in turn.messages for text in message.texts]
    assert [at(body, text.place) for text in found] == [text.text for text in found]


@pytest.mark.parametrize(("wire_format", "body", "place"), ONE_PROMPT)
def test_a_single_prompt_is_the_persons_message(wire_format: WireFormat, body: dict[str, Any], place: Place) -> None:
    turn = wire_format.read(body)
    assert turn is not None
    assert turn.messages == (Message("person", (Text(ASK, place),)),)
    assert with_block(body, place, BLOCK) == json.loads(
        json.dumps(body).replace(json.dumps(ASK), json.dumps(f"{BLOCK}\n\n{ASK}"))
    )


@pytest.mark.parametrize(
    ("wire_format", "body", "message"),
    [
        pytest.param(
            anthropic_messages.FORMAT,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "raw"}]},
                            {"type": "text", "text": ASK},
                        ],
                    }
                ]
            },
            Message("person", (Text(ASK, ("messages", 0, "content", 1, "text")),), tools=True),
            id="a tool's result and words",
        ),
        pytest.param(
            openai_chat.FORMAT,
            {"messages": [{"role": "function", "name": "look", "content": "raw"}]},
            Message("tool", tools=True),
            id="the older function role",
        ),
        pytest.param(
            openai_chat.FORMAT,
            {"messages": [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]},
            Message("assistant"),
            id="a refusal",
        ),
        pytest.param(
            openai_chat.FORMAT,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]},
            Message("person"),
            id="an image alone",
        ),
        pytest.param(
            openai_responses.FORMAT,
            {"input": [{"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}]},
            Message("assistant", tools=True),
            id="a call without a message",
        ),
        pytest.param(
            openai_responses.FORMAT,
            {"input": [{"type": "custom_tool_call_output", "call_id": "c", "output": "raw"}]},
            Message("tool", tools=True),
            id="an output without a role",
        ),
    ],
)
def test_a_message_reads_as(wire_format: WireFormat, body: dict[str, Any], message: Message) -> None:
    assert wire_format.read(body) == Turn(messages=(message,))


def test_a_system_message_behind_the_persons_stays_there() -> None:
    body = {"messages": [{"role": "user", "content": ASK}, {"role": "system", "content": RULES}]}
    turn = anthropic_messages.read(body)
    assert turn is not None
    assert [message.role for message in turn.messages] == ["person", "system"]


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param([ASK], id="list"),
        pytest.param([1, 2, 3], id="token ids"),
        pytest.param("<|fim_prefix|>def f(<|fim_suffix|>)<|fim_middle|>", id="fill in (Qwen)"),
        pytest.param("<PRE> def f( <SUF>) <MID>", id="fill in (Code Llama)"),
        pytest.param("[SUFFIX])[PREFIX]def f(", id="fill in (Codestral)"),
        pytest.param("<s>[INST] hello [/INST]", id="template (Mistral)"),
        pytest.param("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhello", id="template (Llama)"),
        pytest.param("\n\nHuman: hello\n\nAssistant:", id="template (Claude)"),
        pytest.param("  \n", id="blank"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_prompt_that_a_program_composed_is_not_read(prompt: object) -> None:
    assert openai_completions.read({"model": "m", "prompt": prompt}) is None


def test_a_completion_between_two_texts_is_not_read() -> None:
    assert openai_completions.read({"model": "m", "prompt": "def f(", "suffix": "return 1"}) is None


CLAUDE_CODE = {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s-1"})}
SAID = {"messages": [{"role": "user", "content": ASK}]}


@pytest.mark.parametrize(
    ("wire_format", "extra", "expected"),
    [
        pytest.param(openai_chat.FORMAT, {"max_tokens": 5}, {"max_tokens": 5}, id="max_tokens"),
        pytest.param(openai_chat.FORMAT, {"max_tokens": True}, {}, id="max_tokens of another type"),
        pytest.param(openai_chat.FORMAT, {"user": "ada"}, {"user": "ada"}, id="user"),
        pytest.param(openai_chat.FORMAT, {"tools": []}, {}, id="no tools"),
        pytest.param(
            openai_chat.FORMAT, {"functions": [{"name": "f"}]}, {"tools": True, "tool_count": 1}, id="older functions"
        ),
        pytest.param(openai_chat.FORMAT, {"litellm_session_id": "s-1"}, {"session": "s-1"}, id="LiteLLM's session"),
        pytest.param(openai_chat.FORMAT, {"prompt_cache_key": "s-1"}, {"session": "s-1"}, id="cache key"),
        pytest.param(
            openai_chat.FORMAT,
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"properties": {"title": {}}}}}},
            {"output_keys": ("title",)},
            id="chat schema",
        ),
        pytest.param(
            anthropic_messages.FORMAT,
            {"output_config": {"format": {"type": "json_schema", "schema": {"properties": {"title": {}, "n": {}}}}}},
            {"output_keys": ("title", "n")},
            id="anthropic schema",
        ),
        pytest.param(
            anthropic_messages.FORMAT, {"metadata": CLAUDE_CODE}, {"session": "s-1"}, id="Claude Code's session"
        ),
        pytest.param(
            anthropic_messages.FORMAT,
            {"metadata": {"user_id": "user_0a_account_1b_session_2c-3d"}},
            {"session": "2c-3d"},
            id="Claude Code's session as it was",
        ),
        pytest.param(anthropic_messages.FORMAT, {"metadata": {"user_id": "ada"}}, {}, id="another metadata user"),
        pytest.param(anthropic_messages.FORMAT, {"metadata": {"user_id": "[" * 9999}}, {}, id="deep metadata"),
    ],
)
def test_a_body_says_besides(wire_format: WireFormat, extra: dict[str, Any], expected: dict[str, Any]) -> None:
    said = (Message("person", (Text(ASK, ("messages", 0, "content")),)),)
    assert wire_format.read({**SAID, **extra}) == Turn(messages=said, **expected)


def test_a_responses_body_names_its_session_and_what_it_goes_on_from() -> None:
    body = {
        "model": "m",
        "input": ASK,
        "previous_response_id": "resp_1",
        "client_metadata": {"session_id": "s-1"},
        "prompt_cache_key": "other",
        "text": {"format": {"type": "json_schema", "schema": {"properties": {"title": {}}}}},
    }
    assert openai_responses.read(body) == Turn(
        messages=(Message("person", (Text(ASK, ("input",)),)),),
        model="m",
        previous="resp_1",
        session="s-1",
        output_keys=("title",),
    )


def test_a_gemini_schema_names_the_keys_of_the_answer() -> None:
    body = {"contents": ASK, "generationConfig": {"responseSchema": {"properties": {"title": {}}}}}
    turn = gemini_contents.read(body)
    assert turn is not None
    assert turn.output_keys == ("title",)


@pytest.mark.parametrize(("wire_format", "body"), SPELLINGS)
def test_a_block_stands_before_the_words_and_nothing_else_changes(
    wire_format: WireFormat, body: dict[str, Any]
) -> None:
    before = deepcopy(body)
    turn = wire_format.read(body)
    assert turn is not None
    injected = with_block(body, turn.messages[-1].texts[0].place, BLOCK)
    again = wire_format.read(injected)
    assert again is not None
    said = "\n\n".join(text.text for text in again.messages[-1].texts)
    assert (said, again.messages[:-1]) == (f"{BLOCK}\n\n{THANKS}", turn.messages[:-1])
    assert without_blocks(injected, (BLOCK,)) == body == before


def test_a_new_part_has_the_shape_of_its_neighbour_and_takes_no_cache_mark() -> None:
    injected = with_block(ANTHROPIC, ("messages", 4, "content", 0, "text"), BLOCK)
    assert injected["messages"][4]["content"] == [
        {"type": "text", "text": BLOCK},
        {"type": "text", "text": THANKS, "cache_control": {"type": "ephemeral"}},
    ]
    injected = with_block(GEMINI, ("contents", 4, "parts", 0, "text"), BLOCK)
    assert injected["contents"][4]["parts"] == [{"text": BLOCK}, {"text": THANKS}]


def test_a_gemini_system_instruction_keeps_its_first_part() -> None:
    injected = with_block(GEMINI, ("systemInstruction", "parts", 0, "text"), BLOCK)
    assert injected["systemInstruction"] == {"parts": [{"text": f"{BLOCK}\n\n{RULES}"}]}


def test_only_the_way_to_the_block_is_copied() -> None:
    injected = with_block(CHAT, ("messages", 1, "content"), BLOCK)
    assert injected["tools"] is CHAT["tools"]
    assert [new is old for new, old in zip(injected["messages"], CHAT["messages"], strict=True)] == [
        True,
        False,
        True,
        True,
        True,
        True,
    ]


def test_blocks_go_before_the_texts_that_they_were_meant_for_in_whatever_order_they_come() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}
    first, second = (("messages", 0, "content", index, "text") for index in (0, 1))
    expected = [{"type": "text", "text": text} for text in ("one", "two", "a", "three", "b")]
    for placed in (
        [(first, "one"), (first, "two"), (second, "three")],
        [(second, "three"), (first, "one"), (first, "two")],
    ):
        assert with_blocks(body, placed)["messages"][0]["content"] == expected


def test_an_empty_block_changes_nothing() -> None:
    assert with_blocks(CHAT, [(("messages", 1, "content"), "")]) == CHAT


@given(st.data())
def test_taking_any_blocks_out_again_gives_the_clients_body(data: st.DataObject) -> None:
    spelling = data.draw(st.sampled_from([case.values for case in (*SPELLINGS, *ONE_PROMPT)]))
    wire_format, body = spelling[0], spelling[1]
    before = deepcopy(body)
    turn = wire_format.read(body)  # type: ignore[union-attr]  # the parameters of a case are untyped
    places = [text.place for message in turn.messages for text in message.texts]
    placed = data.draw(st.lists(st.tuples(st.sampled_from(places), st.sampled_from(["", "block one", BLOCK]))))
    injected = with_blocks(body, placed)  # type: ignore[arg-type]  # likewise
    assert without_blocks(injected, ("block one", BLOCK)) == body == before


def words_of(value: Any) -> set[str]:
    """All keys and strings in ``value``: what a random body has to be made of to look like one."""
    if isinstance(value, dict):
        return set(value) | words_of(list(value.values()))
    if isinstance(value, list):
        return set().union(*map(words_of, value))
    return {value} if isinstance(value, str) else set()


KEYS = st.sampled_from(sorted(words_of([case.values[1] for case in (*SPELLINGS, *ONE_PROMPT)])))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | KEYS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(KEYS, JSON))
def test_no_json_is_too_odd_to_read(body: dict[str, Any]) -> None:
    before = deepcopy(body)
    for wire_format in FORMATS:
        turn = wire_format.read(body)
        places = [text.place for message in (turn.messages if turn else ()) for text in message.texts]
        for place in places:
            assert without_blocks(with_block(body, place, BLOCK), (BLOCK,)) == body
    assert body == before
