"""Answers of every wire format, streamed and whole, as clients receive them."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import RootModel

from litellm_memory.models import Reply
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
    read_answer,
    reply_of,
)
from litellm_memory.wire.formats import FORMATS

ANSWER = "Port 9100,\n I think."
FIRST, SECOND = "Port 9100,\n", " I think."
WHOLE = Reply(ANSWER, complete=True)
SSE, JSON, AWS = "text/event-stream; charset=utf-8", "application/json", "application/vnd.amazon.eventstream"


def sse(*events: Mapping[str, Any] | str, newline: str = "\n") -> bytes:
    lines = []
    for event in events:
        kind = event.get("type") if isinstance(event, Mapping) else None
        lines += [f"event: {kind}"] if kind else []
        lines += [f"data: {event if isinstance(event, str) else json.dumps(event)}", ""]
    return newline.join([*lines, ""]).encode()


def aws(*events: tuple[str, Mapping[str, Any]], kind: str = "event") -> bytes:
    """These events as AWS frames them: lengths, headers of strings, JSON, and two checksums."""
    return b"".join(_aws_message({":message-type": kind, ":event-type": name}, event) for name, event in events)


def _aws_message(headers: Mapping[str, str], payload: Mapping[str, Any]) -> bytes:
    head = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", len(head) + len(body) + 16, len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + body
    return message + struct.pack("!I", zlib.crc32(message))


def chunk(event: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "chunk", {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abc"}


def choice(delta: Mapping[str, Any], reason: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": index, "delta": delta, "finish_reason": reason}]}


def candidate(*parts: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}]}


CHAT_STREAM: list[Mapping[str, Any] | str] = [
    choice({"role": "assistant", "content": ""}),
    choice({"reasoning_content": "Hm."}),
    choice({"content": FIRST}),
    choice({"content": "another"}, index=1),
    choice({"content": SECOND}),
    choice({}, "stop"),
    {"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 3}},
    "[DONE]",
]
ANTHROPIC_STREAM: list[Mapping[str, Any]] = [
    {"type": "message_start", "message": {"type": "message", "role": "assistant", "content": [], "stop_reason": None}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": FIRST}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": SECOND}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
OUTPUT = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER, "annotations": []}]},
]
RESPONSES_STREAM: list[Mapping[str, Any]] = [
    {"type": "response.created", "response": {"object": "response", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "item": {"type": "message", "role": "assistant", "content": []}},
    {"type": "response.reasoning_summary_text.delta", "delta": "Hm."},
    {"type": "response.output_text.delta", "delta": FIRST},
    {"type": "response.output_text.delta", "delta": SECOND},
    {"type": "response.output_text.done", "text": ANSWER},
    {"type": "response.output_item.done", "item": OUTPUT[1]},
    {"type": "response.completed", "response": {"object": "response", "status": "completed", "output": OUTPUT}},
]
GEMINI_STREAM: list[Mapping[str, Any]] = [
    candidate({"text": "Hm.", "thought": True}),
    candidate({"text": FIRST}),
    candidate({"text": SECOND}, finishReason="STOP"),
]
CONVERSE_STREAM: list[tuple[str, Mapping[str, Any]]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm."}}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": FIRST}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": SECOND}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"totalTokens": 3}}),
]
LINES = [
    {"model": "m", "message": {"role": "assistant", "content": FIRST, "thinking": "Hm."}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": SECOND}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"},
]
ANTHROPIC_ANSWER = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": ANSWER}],
    "stop_reason": "end_turn",
}
CHAT_ANSWER = {
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": ANSWER, "reasoning_content": "Hm."},
            "finish_reason": "stop",
        },
        {"index": 1, "message": {"role": "assistant", "content": "another"}, "finish_reason": "stop"},
    ],
}
COMPLETION_ANSWER = {"choices": [{"index": 0, "text": ANSWER, "finish_reason": "length"}]}
RESPONSES_ANSWER = {"object": "response", "status": "completed", "error": None, "output": OUTPUT}
CONVERSE_ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}},
    "stopReason": "end_turn",
}


def as_object(event: Mapping[str, Any] | str) -> Mapping[str, Any]:
    return event if isinstance(event, Mapping) else {}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("wire_format", "content_type", "raw"),
    [
        pytest.param(openai_chat.FORMAT, JSON, as_json(CHAT_ANSWER), id="chat"),
        pytest.param(openai_chat.FORMAT, SSE, sse(*CHAT_STREAM), id="chat stream"),
        pytest.param(openai_completions.FORMAT, JSON, as_json(COMPLETION_ANSWER), id="completions"),
        pytest.param(
            openai_completions.FORMAT,
            SSE,
            sse(
                {"choices": [{"index": 0, "text": FIRST, "finish_reason": None}]},
                {"choices": [{"index": 0, "text": SECOND, "finish_reason": "stop"}]},
            ),
            id="completions stream",
        ),
        pytest.param(openai_responses.FORMAT, JSON, as_json(RESPONSES_ANSWER), id="responses"),
        pytest.param(openai_responses.FORMAT, SSE, sse(*RESPONSES_STREAM), id="responses stream"),
        pytest.param(openai_responses.FORMAT, SSE, sse(RESPONSES_STREAM[-1]), id="responses stream without deltas"),
        pytest.param(openai_responses.FORMAT, SSE, sse(*CHAT_STREAM), id="chat events for a responses body"),
        pytest.param(anthropic_messages.FORMAT, JSON, as_json(ANTHROPIC_ANSWER), id="anthropic"),
        pytest.param(anthropic_messages.FORMAT, SSE, sse(*ANTHROPIC_STREAM), id="anthropic stream"),
        pytest.param(
            gemini_contents.FORMAT, JSON, as_json(candidate({"text": ANSWER}, finishReason="STOP")), id="gemini"
        ),
        pytest.param(gemini_contents.FORMAT, SSE, sse(*GEMINI_STREAM, newline="\r\n"), id="gemini stream"),
        pytest.param(gemini_contents.FORMAT, JSON, as_json(GEMINI_STREAM), id="gemini stream as an array"),
        pytest.param(bedrock_converse.FORMAT, JSON, as_json(CONVERSE_ANSWER), id="converse"),
        pytest.param(bedrock_converse.FORMAT, AWS, aws(*CONVERSE_STREAM), id="converse stream"),
        pytest.param(bedrock_invoke.FORMAT, AWS, aws(*map(chunk, ANTHROPIC_STREAM)), id="invoke stream anthropic"),
        pytest.param(
            bedrock_invoke.FORMAT,
            AWS,
            aws(*(chunk({name: event}) for name, event in CONVERSE_STREAM)),
            id="invoke stream nova",
        ),
        pytest.param(bedrock_invoke.FORMAT, JSON, as_json(ANTHROPIC_ANSWER), id="invoke anthropic"),
        pytest.param(bedrock_invoke.FORMAT, JSON, as_json(CONVERSE_ANSWER), id="invoke nova"),
        pytest.param(bedrock_invoke.FORMAT, JSON, as_json(CHAT_ANSWER), id="invoke chat"),
        pytest.param(
            bedrock_invoke.FORMAT,
            JSON,
            as_json({"results": [{"outputText": ANSWER, "completionReason": "FINISH"}]}),
            id="invoke titan",
        ),
        pytest.param(
            bedrock_invoke.FORMAT,
            AWS,
            aws(
                chunk({"outputText": FIRST, "completionReason": None}),
                chunk({"outputText": SECOND, "completionReason": "FINISH"}),
            ),
            id="invoke stream titan",
        ),
        pytest.param(
            bedrock_invoke.FORMAT, JSON, as_json({"generation": ANSWER, "stop_reason": "stop"}), id="invoke llama"
        ),
        pytest.param(
            bedrock_invoke.FORMAT,
            AWS,
            aws(
                chunk({"generation": FIRST, "stop_reason": None}),
                chunk({"generation": SECOND, "stop_reason": None}),
                chunk({"generation": "", "stop_reason": "stop"}),
            ),
            id="invoke stream llama",
        ),
        pytest.param(
            bedrock_invoke.FORMAT,
            JSON,
            as_json({"outputs": [{"text": ANSWER, "stop_reason": "stop"}]}),
            id="invoke mistral",
        ),
        pytest.param(ollama.FORMAT, "application/x-ndjson", b"\n".join(map(as_json, LINES)), id="ollama stream"),
        pytest.param(ollama.FORMAT, JSON, as_json({"response": ANSWER, "done": True}), id="ollama generate"),
    ],
)
def test_a_whole_answer_reads_the_same_in_every_format(wire_format: WireFormat, content_type: str, raw: bytes) -> None:
    assert read_answer(raw, content_type, wire_format) == WHOLE
    assert read_answer(raw, "", wire_format) == WHOLE, "without a content type it is known by its look"


CALL = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("wire_format", "events", "reply"),
    [
        pytest.param(
            openai_chat.FORMAT,
            [choice({"tool_calls": [CALL]}), choice({}, "tool_calls")],
            Reply("", tools=True, complete=True),
            id="chat tools",
        ),
        pytest.param(
            openai_chat.FORMAT,
            [choice({"refusal": "I will not."}), choice({}, "stop")],
            Reply("I will not.", complete=True),
            id="chat refusal",
        ),
        pytest.param(
            openai_chat.FORMAT,
            [choice({"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Yes"}]}, "stop")],
            Reply("Yes", complete=True),
            id="chat content in parts",
        ),
        pytest.param(
            openai_responses.FORMAT,
            [
                {"type": "response.output_item.added", "item": {"type": "function_call", "name": "look"}},
                {"type": "response.completed", "response": {"status": "completed", "output": []}},
            ],
            Reply("", tools=True, complete=True),
            id="responses tools",
        ),
        pytest.param(
            openai_responses.FORMAT,
            [{"type": "response.refusal.delta", "delta": "No."}, {"type": "response.completed", "response": {}}],
            Reply("No.", complete=True),
            id="responses refusal",
        ),
        pytest.param(
            openai_responses.FORMAT,
            [*RESPONSES_STREAM[:-1], {"type": "response.incomplete", "response": {"status": "incomplete"}}],
            Reply(ANSWER),
            id="responses incomplete",
        ),
        pytest.param(
            anthropic_messages.FORMAT,
            [
                {"type": "content_block_start", "content_block": {"type": "tool_use", "id": "t1", "name": "look"}},
                {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}},
                {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            ],
            Reply("", tools=True, complete=True),
            id="anthropic tools",
        ),
        pytest.param(
            gemini_contents.FORMAT,
            [candidate({"functionCall": {"name": "look", "args": {}}}, finishReason="STOP")],
            Reply("", tools=True, complete=True),
            id="gemini tools",
        ),
        pytest.param(
            gemini_contents.FORMAT, [{"promptFeedback": {"blockReason": "SAFETY"}}], Reply(""), id="gemini blocked"
        ),
        pytest.param(
            bedrock_converse.FORMAT,
            [
                {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": "look"}}}},
                {"messageStop": {"stopReason": "tool_use"}},
            ],
            Reply("", tools=True, complete=True),
            id="converse tools",
        ),
        pytest.param(openai_chat.FORMAT, [], Reply(""), id="nothing"),
    ],
)
def test_events_spell(wire_format: WireFormat, events: list[Mapping[str, Any]], reply: Reply) -> None:
    assert wire_format.reply(events) == reply


@pytest.mark.parametrize(
    ("wire_format", "raw"),
    [
        pytest.param(openai_chat.FORMAT, sse(*CHAT_STREAM[:5]), id="chat"),
        pytest.param(openai_chat.FORMAT, sse(*CHAT_STREAM[:5]) + b'data: {"choi', id="chat in the middle of an event"),
        pytest.param(openai_chat.FORMAT, sse(*CHAT_STREAM[:5], {"error": {"message": "cut"}}), id="chat with an error"),
        pytest.param(
            openai_chat.FORMAT,
            sse(*CHAT_STREAM[:6], {"error": {"message": "cut"}}),
            id="chat with an error behind its end",
        ),
        pytest.param(openai_responses.FORMAT, sse(*RESPONSES_STREAM[:-1]), id="responses"),
        pytest.param(
            openai_responses.FORMAT,
            sse(*RESPONSES_STREAM[:5], {"type": "error", "code": "x", "message": "cut"}),
            id="responses with an error",
        ),
        pytest.param(anthropic_messages.FORMAT, sse(*ANTHROPIC_STREAM[:8]), id="anthropic"),
        pytest.param(
            anthropic_messages.FORMAT,
            sse(*ANTHROPIC_STREAM[:8], {"type": "error", "error": {"type": "overloaded_error"}}),
            id="anthropic with an error",
        ),
        pytest.param(gemini_contents.FORMAT, sse(candidate({"text": ANSWER})), id="gemini"),
        pytest.param(bedrock_converse.FORMAT, aws(*CONVERSE_STREAM[:5]), id="converse"),
        pytest.param(bedrock_converse.FORMAT, aws(*CONVERSE_STREAM)[:-150], id="converse in the middle of a message"),
        pytest.param(
            bedrock_converse.FORMAT,
            aws(*CONVERSE_STREAM[:5]) + aws(("throttlingException", {"message": "x"}), kind="exception"),
            id="converse with an exception",
        ),
        pytest.param(ollama.FORMAT, b"\n".join(map(as_json, LINES[:2])), id="ollama"),
    ],
)
def test_a_cut_answer_keeps_its_text_and_is_not_complete(wire_format: WireFormat, raw: bytes) -> None:
    assert read_answer(raw, "", wire_format) == Reply(ANSWER)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b": keep-alive\n\n" + sse(*CHAT_STREAM), id="comments"),
        pytest.param(b"\xef\xbb\xbf" + sse(*CHAT_STREAM), id="byte order mark"),
        pytest.param(sse(*CHAT_STREAM, newline="\r\n"), id="CRLF"),
        pytest.param(sse(*CHAT_STREAM, newline="\r"), id="CR"),
        pytest.param(sse(*CHAT_STREAM[:-1]).rstrip(b"\n"), id="no line end at the end"),
        pytest.param(sse(*CHAT_STREAM).replace(b'", "', b'",\ndata: "'), id="data on several lines"),
        pytest.param(sse(*CHAT_STREAM).replace(b"data: ", b"id: 7\ndata:"), id="no space, other fields"),
        pytest.param(b"data:\n\n" + sse(*CHAT_STREAM), id="empty data"),
    ],
)
def test_server_sent_events_come_in_many_forms(raw: bytes) -> None:
    assert read_answer(raw, SSE, openai_chat.FORMAT) == WHOLE


def test_a_line_separator_inside_of_an_answer_does_not_end_a_line() -> None:
    raw = sse(json.dumps(choice({"content": "a\u2028b\x85c"}, "stop"), ensure_ascii=False))
    assert read_answer(raw, SSE, openai_chat.FORMAT) == Reply("a\u2028b\x85c", complete=True)


def test_an_answer_with_a_hole_is_not_complete() -> None:
    assert read_answer(sse(CHAT_STREAM[2], "{broken", choice({}, "stop")), SSE, openai_chat.FORMAT) == Reply(FIRST)


def test_a_content_type_that_does_not_tell_the_truth_is_overruled() -> None:
    assert read_answer(as_json(CHAT_ANSWER), SSE, openai_chat.FORMAT) == WHOLE
    assert read_answer(aws(*CONVERSE_STREAM), SSE, bedrock_converse.FORMAT) == WHOLE


def test_an_object_that_dumps_itself_is_read_by_its_shape() -> None:
    assert reply_of(RootModel(CHAT_ANSWER), openai_responses.FORMAT) == WHOLE
    assert reply_of([RootModel(event) for event in RESPONSES_STREAM], openai_chat.FORMAT) == WHOLE
    assert reply_of(ANTHROPIC_ANSWER, openai_chat.FORMAT) == WHOLE


@pytest.mark.parametrize("response", [None, "text", b"bytes", 7, object(), {"response": "cannot parse chunks"}, []])
def test_no_reply_is_made_of_anything_else(response: object) -> None:
    assert reply_of(response, openai_chat.FORMAT) == Reply("")


@given(
    st.binary() | st.text().map(lambda text: sse(text)) | st.binary().map(lambda tail: aws(*CONVERSE_STREAM) + tail),
    st.sampled_from([SSE, JSON, AWS, "application/x-ndjson", "", "text/plain"]),
)
def test_no_bytes_are_too_odd_to_read(raw: bytes, content_type: str) -> None:
    for wire_format in FORMATS:
        assert isinstance(read_answer(raw, content_type, wire_format), Reply)


@given(st.data())
def test_a_stream_that_ends_anywhere_never_seems_more_than_it_was(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from([sse(*CHAT_STREAM), sse(*ANTHROPIC_STREAM), sse(*RESPONSES_STREAM)]))
    cut = read_answer(raw[: data.draw(st.integers(0, len(raw)))], SSE, openai_chat.FORMAT)
    assert ANSWER.startswith(cut.text)
    assert cut.text == ANSWER or not cut.complete


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([*map(as_object, CHAT_STREAM), CHAT_ANSWER], {"openai_chat", "openai_completions"}, id="chat"),
        pytest.param([COMPLETION_ANSWER], {"openai_chat", "openai_completions"}, id="completions"),
        pytest.param([*RESPONSES_STREAM, RESPONSES_ANSWER], {"openai_responses"}, id="responses"),
        pytest.param([*ANTHROPIC_STREAM, ANTHROPIC_ANSWER], {"anthropic_messages"}, id="anthropic"),
        pytest.param(GEMINI_STREAM, {"gemini_contents"}, id="gemini"),
        pytest.param(
            [*({name: event} for name, event in CONVERSE_STREAM), CONVERSE_ANSWER], {"bedrock_converse"}, id="converse"
        ),
        pytest.param(LINES, {"ollama"}, id="ollama"),
    ],
)
def test_only_invoke_takes_the_answers_of_other_formats(events: list[Mapping[str, Any]], expected: set[str]) -> None:
    """So the order of the table decides nothing else about an answer: chat and completions are read alike."""
    *others, last = FORMATS
    assert last is bedrock_invoke.FORMAT
    assert {known.name for known in others if any(map(known.is_answer, events))} == expected


@pytest.mark.parametrize("raw", [b"data: {broken\n\n", b'{"choices": [}', aws(*CONVERSE_STREAM)[:-1] + b"x"])
def test_an_event_that_cannot_be_read_leaves_a_line_in_the_debug_log(
    raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="litellm_memory.wire.answers"):
        read_answer(raw, "", openai_chat.FORMAT)
    assert caplog.messages == [
        f"An answer of {len(raw)} bytes (no content type) has events that failed or cannot be read."
    ]


KEYS = ("choices", "delta", "message", "content", "text", "type", "output", "response", "item", "candidates", "parts")
MORE_KEYS = ("contentBlockDelta", "results", "outputs", "error", "bytes", "done", "index", "content_block", "status")
EVENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*KEYS, *MORE_KEYS)), inner, max_size=5)
    ),
)


@given(EVENTS)
def test_no_json_is_too_odd_for_an_answer(answer: object) -> None:
    for wire_format in FORMATS:
        assert isinstance(read_answer(as_json(answer), JSON, wire_format), Reply)
        if isinstance(answer, dict):
            assert isinstance(wire_format.reply([answer]), Reply)
