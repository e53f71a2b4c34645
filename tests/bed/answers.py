"""What the loopback provider says in every wire format, whole or as the frames of a stream. Ids and times are fixed."""

from __future__ import annotations

import base64
import json
import re
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

JSON: TypeAlias = dict[str, Any]

CREATED = 1_700_000_000
CREATED_TEXT = "2023-11-14T22:13:20Z"
INPUT_TOKENS, OUTPUT_TOKENS = 11, 3
VECTOR = (0.25, -0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it reached the provider. Header names are lower case; ``body`` is None when it is not JSON."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    body: Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one of the client's tools."""

    name: str
    arguments: JSON = field(default_factory=dict)
    id: str = "call_bed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider does with a request."""

    text: str = "Noted."
    tool: ToolCall | None = None
    status: int = 200
    """Anything but 200 is an error in the provider's own shape."""
    gate: threading.Event | None = None
    """The answer waits until this is set."""
    gate_after: int = 0
    """So many frames of a stream are sent before the gate; 0: not even the headers."""
    frames: int | None = None
    """Only so many frames of a stream are sent."""
    breaks: bool = False
    """A shortened stream breaks the connection instead of ending it."""

    @property
    def pieces(self) -> list[str]:
        """The text as a stream cuts it."""
        return re.findall(r"\s*\S{1,4}", self.text)


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of answer. ``frames`` is None for what never streams."""

    whole: Callable[[Answer, Received], Any]
    frames: Callable[[Answer, Received], list[bytes]] | None = None
    media: str = "text/event-stream"
    streams: Callable[[Received], bool] = lambda received: False


def format_of(received: Received) -> Format:
    """The format that a request's path asks for; an echo when no provider has such a path."""
    return next((known for pattern, known in FORMATS if pattern.search(received.path)), ECHO)


def error(answer: Answer) -> JSON:
    """A provider's refusal, in the shape that all of them can be read as."""
    return {"type": "error", "error": {"type": "api_error", "code": answer.status, "message": "The provider refused."}}


# --- frames ---


def _sse(payload: JSON | str, event: str | None = None) -> bytes:
    data = payload if isinstance(payload, str) else json.dumps(payload)
    return (f"event: {event}\n" if event else "").encode() + f"data: {data}\n\n".encode()


def _typed_sse(payload: JSON) -> bytes:
    return _sse(payload, event=payload["type"])


def _line(payload: JSON) -> bytes:
    return json.dumps(payload).encode() + b"\n"


def _aws(event: str, payload: JSON) -> bytes:
    """One message of an AWS event stream: lengths and their CRC, headers, payload, CRC of all of it."""
    names = ((":event-type", event), (":content-type", "application/json"), (":message-type", "event"))
    headers = b"".join(_aws_header(name, value) for name, value in names)
    content = json.dumps(payload).encode()
    lengths = struct.pack(">II", 16 + len(headers) + len(content), len(headers))
    message = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + content
    return message + struct.pack(">I", zlib.crc32(message))


def _aws_header(name: str, value: str) -> bytes:
    is_string = 7
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", is_string, len(value)) + value.encode()


def _asked_to_stream(received: Received) -> bool:
    return isinstance(received.body, dict) and received.body.get("stream") is True


def _model(received: Received) -> str:
    """The model that a request names in its body or in its path."""
    if isinstance(received.body, dict) and isinstance(received.body.get("model"), str):
        return str(received.body["model"])
    named = re.search(r"/(?:models?|deployments)/([^/:]+)", received.path)
    return named[1] if named else "bed-model"


# --- OpenAI: chat completions, also Azure deployments ---

_CHAT_USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _chat_tools(tool: ToolCall) -> list[JSON]:
    call = {"name": tool.name, "arguments": json.dumps(tool.arguments)}
    return [{"index": 0, "id": tool.id, "type": "function", "function": call}]


def _chat(answer: Answer, received: Received) -> JSON:
    message: JSON = {"role": "assistant", "content": answer.text}
    if answer.tool:
        message = {"role": "assistant", "content": None, "tool_calls": _chat_tools(answer.tool)}
    return {
        "id": "chatcmpl-bed",
        "object": "chat.completion",
        "created": CREATED,
        "model": _model(received),
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if answer.tool else "stop"}],
        "usage": _CHAT_USAGE,
    }


def _chat_frames(answer: Answer, received: Received) -> list[bytes]:
    head = {
        "id": "chatcmpl-bed",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": _model(received),
    }

    def chunk(delta: JSON, finish: str | None = None) -> bytes:
        return _sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    if answer.tool:
        said = [chunk({"role": "assistant", "content": None, "tool_calls": _chat_tools(answer.tool)})]
    else:
        said = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in answer.pieces)]
    asked = (received.body.get("stream_options") or {}).get("include_usage")
    usage = [_sse({**head, "choices": [], "usage": _CHAT_USAGE})] if asked else []
    return [*said, chunk({}, "tool_calls" if answer.tool else "stop"), *usage, _sse("[DONE]")]


# --- OpenAI: completions ---


def _completion(answer: Answer, received: Received) -> JSON:
    choice = {"index": 0, "text": answer.text, "finish_reason": "stop", "logprobs": None}
    return {**_completion_head(received), "choices": [choice], "usage": _CHAT_USAGE}


def _completion_frames(answer: Answer, received: Received) -> list[bytes]:
    head = _completion_head(received)
    choices = [{"index": 0, "text": piece, "finish_reason": None, "logprobs": None} for piece in answer.pieces]
    choices.append({"index": 0, "text": "", "finish_reason": "stop", "logprobs": None})
    asked = (received.body.get("stream_options") or {}).get("include_usage")
    usage = [_sse({**head, "choices": [], "usage": _CHAT_USAGE})] if asked else []
    return [*(_sse({**head, "choices": [choice]}) for choice in choices), *usage, _sse("[DONE]")]


def _completion_head(received: Received) -> JSON:
    return {"id": "cmpl-bed", "object": "text_completion", "created": CREATED, "model": _model(received)}


# --- OpenAI: responses ---


def _response(answer: Answer, received: Received) -> JSON:
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    return {**_response_head(received), "status": "completed", "output": [_response_item(answer)], "usage": usage}


def _response_head(received: Received) -> JSON:
    return {
        "id": "resp_bed",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": _model(received),
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
    }


def _response_item(answer: Answer) -> JSON:
    if answer.tool:
        return {
            "type": "function_call",
            "id": "fc_bed",
            "call_id": answer.tool.id,
            "name": answer.tool.name,
            "arguments": json.dumps(answer.tool.arguments),
            "status": "completed",
        }
    part = {"type": "output_text", "text": answer.text, "annotations": []}
    return {"type": "message", "id": "msg_bed", "role": "assistant", "status": "completed", "content": [part]}


def _response_frames(answer: Answer, received: Received) -> list[bytes]:
    head, item = _response_head(received), _response_item(answer)
    nothing: JSON = {"arguments": ""} if answer.tool else {"content": []}
    opened = {**item, "status": "in_progress", **nothing}
    events: list[JSON] = [
        {"type": "response.created", "response": head},
        {"type": "response.in_progress", "response": head},
        {"type": "response.output_item.added", "output_index": 0, "item": opened},
        *(_response_tool_events(item) if answer.tool else _response_text_events(answer, item)),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": _response(answer, received)},
    ]
    return [_typed_sse({**event, "sequence_number": number}) for number, event in enumerate(events)]


def _response_tool_events(item: JSON) -> list[JSON]:
    at = {"item_id": item["id"], "output_index": 0}
    return [
        {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]},
        {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"], "name": item["name"]},
    ]


def _response_text_events(answer: Answer, item: JSON) -> list[JSON]:
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    part = item["content"][0]
    return [
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []} for piece in answer.pieces),
        {"type": "response.output_text.done", **at, "text": answer.text, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
    ]


# --- OpenAI: embeddings and moderations ---


def _embeddings(answer: Answer, received: Received) -> JSON:
    asked = received.body.get("input")
    vector: Any = list(VECTOR)
    if received.body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    count = len(asked) if isinstance(asked, list) else 1
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)],
        "model": _model(received),
        "usage": {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS},
    }


def _moderation(answer: Answer, received: Received) -> JSON:
    result = {
        "flagged": False,
        "categories": {"harassment": False},
        "category_scores": {"harassment": 0.01},
        "category_applied_input_types": {"harassment": ["text"]},
    }
    return {"id": "modr-bed", "model": "omni-moderation-latest", "results": [result]}


# --- Anthropic: messages, also as the body of a Bedrock invoke ---


def _message_block(answer: Answer) -> JSON:
    if answer.tool:
        return {"type": "tool_use", "id": answer.tool.id, "name": answer.tool.name, "input": answer.tool.arguments}
    return {"type": "text", "text": answer.text}


def _message(answer: Answer, received: Received) -> JSON:
    return {
        "id": "msg_bed",
        "type": "message",
        "role": "assistant",
        "model": _model(received),
        "content": [_message_block(answer)],
        "stop_reason": "tool_use" if answer.tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def _message_events(answer: Answer, received: Received) -> list[JSON]:
    whole = _message(answer, received)
    opened = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1}}
    block = _message_block(answer)
    if answer.tool:
        arguments = json.dumps(answer.tool.arguments)
        empty, deltas = {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": arguments}]
    else:
        empty, deltas = {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in answer.pieces]
    return [
        {"type": "message_start", "message": opened},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]


def _message_frames(answer: Answer, received: Received) -> list[bytes]:
    return [_typed_sse(event) for event in _message_events(answer, received)]


def _invoke_frames(answer: Answer, received: Received) -> list[bytes]:
    events = (json.dumps(event).encode() for event in _message_events(answer, received))
    return [_aws("chunk", {"bytes": base64.b64encode(event).decode()}) for event in events]


# --- Bedrock: converse ---

_CONVERSE_USAGE = {
    "inputTokens": INPUT_TOKENS,
    "outputTokens": OUTPUT_TOKENS,
    "totalTokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _converse(answer: Answer, received: Received) -> JSON:
    block: JSON = {"text": answer.text}
    if answer.tool:
        tool = answer.tool
        block = {"toolUse": {"toolUseId": tool.id, "name": tool.name, "input": tool.arguments}}
    return {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": "tool_use" if answer.tool else "end_turn",
        "usage": _CONVERSE_USAGE,
        "metrics": {"latencyMs": 1},
    }


def _converse_frames(answer: Answer, received: Received) -> list[bytes]:
    at = {"contentBlockIndex": 0}
    events: list[tuple[str, JSON]] = [("messageStart", {"role": "assistant"})]
    if answer.tool:
        start = {"toolUse": {"toolUseId": answer.tool.id, "name": answer.tool.name}}
        events.append(("contentBlockStart", {**at, "start": start}))
        delta = {"toolUse": {"input": json.dumps(answer.tool.arguments)}}
        events.append(("contentBlockDelta", {**at, "delta": delta}))
    else:
        events += [("contentBlockDelta", {**at, "delta": {"text": piece}}) for piece in answer.pieces]
    events += [
        ("contentBlockStop", at),
        ("messageStop", {"stopReason": "tool_use" if answer.tool else "end_turn"}),
        ("metadata", {"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 1}}),
    ]
    return [_aws(event, payload) for event, payload in events]


# --- Gemini, also Vertex ---


def _gemini(answer: Answer, received: Received) -> JSON:
    part: JSON = {"text": answer.text}
    if answer.tool:
        part = {"functionCall": {"name": answer.tool.name, "args": answer.tool.arguments}}
    return _gemini_chunk(received, part, finish="STOP")


def _gemini_chunk(received: Received, part: JSON, finish: str | None) -> JSON:
    candidate: JSON = {"content": {"role": "model", "parts": [part]}, "index": 0}
    return {
        "candidates": [{**candidate, "finishReason": finish} if finish else candidate],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        },
        "modelVersion": _model(received),
        "responseId": "gemini-bed",
    }


def _gemini_chunks(answer: Answer, received: Received) -> list[JSON]:
    if answer.tool:
        return [_gemini(answer, received)]
    *first, last = answer.pieces
    return [
        *(_gemini_chunk(received, {"text": piece}, None) for piece in first),
        _gemini_chunk(received, {"text": last}, "STOP"),
    ]


def _gemini_sse(answer: Answer, received: Received) -> list[bytes]:
    return [_sse(chunk) for chunk in _gemini_chunks(answer, received)]


def _gemini_array(answer: Answer, received: Received) -> list[Any]:
    return list(_gemini_chunks(answer, received))


def _gemini_embedding(answer: Answer, received: Received) -> JSON:
    if received.path.endswith(":embedContent"):
        return {"embedding": {"values": list(VECTOR)}}
    return {"embeddings": [{"values": list(VECTOR)} for _ in received.body.get("requests", ())]}


# --- embeddings of Cohere, Bedrock and Ollama ---


def _cohere_embedding(answer: Answer, received: Received) -> JSON:
    vectors = [list(VECTOR) for _ in received.body["texts"]]
    return {"id": "bed", "embeddings": {"float": vectors} if received.path.startswith("/v2/") else vectors}


def _ollama_embedding(answer: Answer, received: Received) -> JSON:
    return {"embeddings": [list(VECTOR) for _ in received.body["input"]], "prompt_eval_count": INPUT_TOKENS}


def _titan_embedding(answer: Answer, received: Received) -> JSON:
    return {"embedding": list(VECTOR), "inputTextTokenCount": INPUT_TOKENS}


# --- Ollama ---


def _ollama(answer: Answer, received: Received, *, text: str, done: bool) -> JSON:
    head = {"model": _model(received), "created_at": CREATED_TEXT}
    if received.path.endswith("/generate"):
        said: JSON = {"response": text}
    else:
        message: JSON = {"role": "assistant", "content": text}
        if answer.tool and done:
            call = {"name": answer.tool.name, "arguments": answer.tool.arguments}
            message = {**message, "content": "", "tool_calls": [{"function": call}]}
        said = {"message": message}
    counts = {"done_reason": "stop", "prompt_eval_count": INPUT_TOKENS, "eval_count": OUTPUT_TOKENS}
    return {**head, **said, "done": done, **(counts if done else {})}


def _ollama_whole(answer: Answer, received: Received) -> JSON:
    return _ollama(answer, received, text=answer.text, done=True)


def _ollama_frames(answer: Answer, received: Received) -> list[bytes]:
    pieces = [] if answer.tool else answer.pieces
    said = [_line(_ollama(answer, received, text=piece, done=False)) for piece in pieces]
    return [*said, _line(_ollama(answer, received, text="", done=True))]


def _ollama_asked_to_stream(received: Received) -> bool:
    """Ollama streams unless it is told not to."""
    return isinstance(received.body, dict) and received.body.get("stream", True) is True


def _ollama_model(answer: Answer, received: Received) -> JSON:
    return {"template": "{{ .Prompt }}", "model_info": {}, "capabilities": ["completion", "tools"]}


# --- everything else ---


def _echo(answer: Answer, received: Received) -> JSON:
    return {"method": received.method, "path": received.path, "query": dict(received.query), "body": received.body}


def _always(received: Received) -> bool:
    return True


ECHO = Format(_echo)
_TABLE: tuple[tuple[str, Format], ...] = (
    (r"/chat/completions$", Format(_chat, _chat_frames, streams=_asked_to_stream)),
    (r"/completions$", Format(_completion, _completion_frames, streams=_asked_to_stream)),
    (r"/responses$", Format(_response, _response_frames, streams=_asked_to_stream)),
    (r"/embeddings$", Format(_embeddings)),
    (r"/api/embed$", Format(_ollama_embedding)),
    (r"/(v2/embed|cohere\.embed[^/]*/invoke)$", Format(_cohere_embedding)),
    (r"/amazon\.titan-embed[^/]*/invoke$", Format(_titan_embedding)),
    (r"/moderations$", Format(_moderation)),
    (r"/messages/count_tokens$", Format(lambda answer, received: {"input_tokens": INPUT_TOKENS})),
    (r"/messages$", Format(_message, _message_frames, streams=_asked_to_stream)),
    (r"/converse$", Format(_converse)),
    (r"/converse-stream$", Format(_converse, _converse_frames, "application/vnd.amazon.eventstream", _always)),
    (r"/invoke$", Format(_message)),
    (
        r"/invoke-with-response-stream$",
        Format(_message, _invoke_frames, "application/vnd.amazon.eventstream", _always),
    ),
    (r":generateContent$", Format(_gemini)),
    (
        r":streamGenerateContent$",
        Format(_gemini_array, _gemini_sse, streams=lambda received: received.query.get("alt") == "sse"),
    ),
    (r":countTokens$", Format(lambda answer, received: {"totalTokens": INPUT_TOKENS})),
    (r":(embedContent|batchEmbedContents)$", Format(_gemini_embedding)),
    (
        r"/api/(chat|generate)$",
        Format(_ollama_whole, _ollama_frames, "application/x-ndjson", _ollama_asked_to_stream),
    ),
    (r"/api/show$", Format(_ollama_model)),
)
FORMATS = tuple((re.compile(pattern), known) for pattern, known in _TABLE)
