"""The table of routes: every way in which a client can ask through LiteLLM, and the calls that memory leaves alone."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]  # it ships no types

from bed.proxy import AZURE_API_VERSION

JSON: TypeAlias = dict[str, Any]
Conversation: TypeAlias = Sequence[str]
"""What was said, the person first and last: person, assistant, person, ..."""

SYSTEM = "Answer in one short sentence."
VERTEX_TOKEN = "ya29.bed"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format as a client speaks it: how it asks, and how the answer's text is read."""

    ask: Callable[[Conversation], JSON]
    read: Callable[[bytes], str]
    read_stream: Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Route:
    """One way to ask. ``upstream`` is the end of the path that the provider must be called at."""

    id: str
    path: str
    dialect: Dialect
    upstream: str
    model: str | None = None
    """The model that the body names; None where the path names it."""
    stream: bool = False
    says_stream: bool = True
    """The body says ``stream: true``; False where the path says it."""
    key_header: str = "authorization"
    extra_headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    folds: bool = False
    """LiteLLM's bridge writes a single text part as a plain string, and several as parts."""

    def body(self, conversation: Conversation) -> JSON:
        """The request body that asks the last of these texts."""
        named = {"model": self.model} if self.model else {}
        streamed = {"stream": True} if self.stream and self.says_stream else {}
        return {**named, **self.dialect.ask(conversation), **streamed}

    def headers(self, key: str) -> dict[str, str]:
        """The headers that carry ``key`` on this route."""
        value = f"Bearer {key}" if self.key_header == "authorization" else key
        return {self.key_header: value, **self.extra_headers}

    def send(
        self, client: httpx.Client, conversation: Conversation, *, key: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Ask through ``client`` and read the whole answer."""
        return client.request(
            "POST",
            self.path,
            params=dict(self.query),
            headers={**self.headers(key), **(headers or {})},
            json=self.body(conversation),
        )

    def text(self, response: httpx.Response) -> str:
        """The answer's text as the client received it."""
        return (self.dialect.read_stream if self.stream else self.dialect.read)(response.content)


# --- how each format asks ---


def _roles(conversation: Conversation, assistant: str = "assistant") -> Iterator[tuple[str, str]]:
    return ((assistant if index % 2 else "user", text) for index, text in enumerate(conversation))


def _ask_chat(conversation: Conversation) -> JSON:
    said = [{"role": role, "content": text} for role, text in _roles(conversation)]
    return {"messages": [{"role": "system", "content": SYSTEM}, *said], "max_tokens": 100}


def _ask_completion(conversation: Conversation) -> JSON:
    return {"prompt": conversation[-1], "max_tokens": 100}


def _ask_responses(conversation: Conversation) -> JSON:
    kinds = {"user": "input_text", "assistant": "output_text"}
    items = [
        {"type": "message", "role": role, "content": [{"type": kinds[role], "text": text}]}
        for role, text in _roles(conversation)
    ]
    return {"instructions": SYSTEM, "input": items, "max_output_tokens": 100}


def _ask_responses_plainly(conversation: Conversation) -> JSON:
    return {"instructions": SYSTEM, "input": conversation[-1], "max_output_tokens": 100}


def _ask_messages(conversation: Conversation) -> JSON:
    said = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in _roles(conversation)]
    return {"system": SYSTEM, "messages": said, "max_tokens": 100}


def _ask_messages_plainly(conversation: Conversation) -> JSON:
    said = [{"role": role, "content": text} for role, text in _roles(conversation)]
    return {"messages": said, "max_tokens": 100}


def _ask_gemini(conversation: Conversation) -> JSON:
    said = [{"role": role, "parts": [{"text": text}]} for role, text in _roles(conversation, "model")]
    return {
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "contents": said,
        "generationConfig": {"maxOutputTokens": 100},
    }


def _ask_converse(conversation: Conversation) -> JSON:
    said = [{"role": role, "content": [{"text": text}]} for role, text in _roles(conversation)]
    return {"system": [{"text": SYSTEM}], "messages": said, "inferenceConfig": {"maxTokens": 100}}


def _ask_invoke(conversation: Conversation) -> JSON:
    return {"anthropic_version": "bedrock-2023-05-31", **_ask_messages(conversation)}


def _ask_ollama(conversation: Conversation) -> JSON:
    # Ollama streams unless it is told not to; the route overrides this where it streams.
    said = [{"role": role, "content": text} for role, text in _roles(conversation)]
    return {"model": "llama3", "messages": said, "stream": False}


# --- how each format answers ---


def sse(content: bytes) -> list[JSON]:
    """The JSON of every server-sent event, in order."""
    lines = (line.removeprefix("data:").strip() for line in content.decode().splitlines() if line.startswith("data:"))
    return [json.loads(line) for line in lines if line and line != "[DONE]"]


def aws_events(content: bytes) -> list[tuple[str, JSON]]:
    """The type and JSON of every message of an AWS event stream; the AWS SDK's own reader checks lengths and CRCs."""
    buffer = EventStreamBuffer()
    buffer.add_data(content)
    return [(message.headers[":event-type"], json.loads(message.payload)) for message in buffer]


def _read_chat(content: bytes) -> str:
    return str(json.loads(content)["choices"][0]["message"]["content"])


def _read_chat_stream(content: bytes) -> str:
    choices = (choice for chunk in sse(content) for choice in chunk["choices"])
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def _read_completion(content: bytes) -> str:
    return str(json.loads(content)["choices"][0]["text"])


def _read_completion_stream(content: bytes) -> str:
    choices = (choice for chunk in sse(content) for choice in chunk["choices"])
    return "".join(choice.get("text") or "" for choice in choices)


def _read_responses(content: bytes) -> str:
    items = (item for item in json.loads(content)["output"] if item["type"] == "message")
    return "".join(part["text"] for item in items for part in item["content"])


def _read_responses_stream(content: bytes) -> str:
    return "".join(event["delta"] for event in sse(content) if event["type"] == "response.output_text.delta")


def _read_message(content: bytes) -> str:
    return "".join(block["text"] for block in json.loads(content)["content"])


def _message_deltas(events: Sequence[JSON]) -> str:
    return "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")


def _read_message_stream(content: bytes) -> str:
    return _message_deltas(sse(content))


def _gemini_text(chunks: Sequence[JSON]) -> str:
    parts = (part for chunk in chunks for candidate in chunk["candidates"] for part in candidate["content"]["parts"])
    return "".join(part.get("text", "") for part in parts)


def _read_gemini(content: bytes) -> str:
    return _gemini_text([json.loads(content)])


def _read_gemini_stream(content: bytes) -> str:
    return _gemini_text(sse(content))


def _read_gemini_array(content: bytes) -> str:
    return _gemini_text(json.loads(content))


def _read_converse(content: bytes) -> str:
    return "".join(block["text"] for block in json.loads(content)["output"]["message"]["content"])


def _read_converse_stream(content: bytes) -> str:
    return "".join(event["delta"]["text"] for kind, event in aws_events(content) if kind == "contentBlockDelta")


def _read_invoke_stream(content: bytes) -> str:
    return _message_deltas([json.loads(base64.b64decode(event["bytes"])) for _, event in aws_events(content)])


def _read_ollama(content: bytes) -> str:
    return str(json.loads(content)["message"]["content"])


def _read_ollama_stream(content: bytes) -> str:
    return "".join(json.loads(line)["message"]["content"] for line in content.splitlines())


CHAT = Dialect(_ask_chat, _read_chat, _read_chat_stream)
COMPLETION = Dialect(_ask_completion, _read_completion, _read_completion_stream)
RESPONSES = Dialect(_ask_responses, _read_responses, _read_responses_stream)
RESPONSES_PLAIN = Dialect(_ask_responses_plainly, _read_responses, _read_responses_stream)
MESSAGES = Dialect(_ask_messages, _read_message, _read_message_stream)
MESSAGES_PLAIN = Dialect(_ask_messages_plainly, _read_message, _read_message_stream)
GEMINI = Dialect(_ask_gemini, _read_gemini, _read_gemini_stream)
GEMINI_ARRAY = Dialect(_ask_gemini, _read_gemini, _read_gemini_array)
CONVERSE = Dialect(_ask_converse, _read_converse, _read_converse_stream)
INVOKE = Dialect(_ask_invoke, _read_message, _read_invoke_stream)
OLLAMA = Dialect(_ask_ollama, _read_ollama, _read_ollama_stream)


# --- the table ---

_GENERATE, _STREAM_GENERATE = ":generateContent", ":streamGenerateContent"
_STREAM_INVOKE = "/invoke-with-response-stream"
_VERTEX = "/v1/projects/bed/locations/us-central1/publishers/google/models/gemini-2.0-flash"
_AZURE = {"api-version": AZURE_API_VERSION}
_ANTHROPIC = {"anthropic-version": "2023-06-01"}


def _both(id: str, path: str, dialect: Dialect, upstream: str, model: str | None = None, **more: Any) -> list[Route]:
    """The same route plain and streamed, where the body says which."""
    plain = Route(id, path, dialect, upstream, model, **more)
    return [plain, Route(f"{id}, stream", path, dialect, upstream, model, stream=True, **more)]


def _gemini_pair(
    id: str, path: str, upstreams: tuple[str, str] = (_GENERATE, _STREAM_GENERATE), **more: Any
) -> list[Route]:
    """The same route plain and streamed, where the path says which."""
    return [
        Route(id, path + _GENERATE, GEMINI, upstreams[0], **more),
        Route(
            f"{id}, stream", path + _STREAM_GENERATE, GEMINI, upstreams[1],
            stream=True, says_stream=False, query={"alt": "sse"}, **more,
        ),
    ]  # fmt: skip


def _bedrock_pair(id: str, path: str, dialect: Dialect, plain: str, streamed: str) -> list[Route]:
    return [
        Route(id, path + plain, dialect, plain),
        Route(f"{id}, stream", path + streamed, dialect, streamed, stream=True, says_stream=False),
    ]


def _native() -> list[Route]:
    chat, azure = "/v1/chat/completions", "/openai/deployments/gpt-4o-mini/chat/completions"
    return [
        *_both("chat to openai", chat, CHAT, "/chat/completions", "gpt"),
        *_both("chat to azure", chat, CHAT, azure, "azure-gpt"),
        *_both("chat to anthropic", chat, CHAT, "/v1/messages", "claude"),
        Route("chat to bedrock invoke", chat, CHAT, "/invoke", "bedrock-invoke"),
        Route("chat to bedrock invoke, stream", chat, CHAT, _STREAM_INVOKE, "bedrock-invoke", stream=True),
        *_both("chat to ollama", chat, CHAT, "/api/chat", "ollama-llama"),
        Route("chat to gemini", chat, CHAT, _GENERATE, "gemini"),
        Route("chat to gemini, stream", chat, CHAT, _STREAM_GENERATE, "gemini", stream=True),
        Route("chat to bedrock converse", chat, CHAT, "/converse", "bedrock-converse"),
        Route("chat to bedrock converse, stream", chat, CHAT, "/converse-stream", "bedrock-converse", stream=True),
        *_both("chat without /v1", "/chat/completions", CHAT, "/chat/completions", "gpt"),
        Route("chat, engine in the path", "/engines/gpt/chat/completions", CHAT, "/chat/completions"),
        *_both("chat, deployment in the path", "/openai/deployments/gpt/chat/completions", CHAT, "/chat/completions"),
        *_both("completions to openai", "/v1/completions", COMPLETION, "/completions", "gpt-instruct"),
        *_both("completions to openai chat", "/v1/completions", COMPLETION, "/chat/completions", "gpt"),
        *_both("completions to anthropic", "/v1/completions", COMPLETION, "/v1/messages", "claude"),
        *_both("responses to openai", "/v1/responses", RESPONSES, "/responses", "gpt"),
        *_both("responses, one string", "/v1/responses", RESPONSES_PLAIN, "/responses", "gpt"),
        *_both("responses, openai in the path", "/openai/v1/responses", RESPONSES, "/responses", "gpt"),
        # LiteLLM 1.106 calls /openai/responses, 1.109 /openai/v1/responses.
        *_both("responses to azure", "/v1/responses", RESPONSES, "/responses", "azure-gpt"),
        *_both("responses to anthropic", "/v1/responses", RESPONSES, "/v1/messages", "claude"),
        Route("responses to gemini", "/v1/responses", RESPONSES, _GENERATE, "gemini"),
        Route("responses to gemini, stream", "/v1/responses", RESPONSES, _STREAM_GENERATE, "gemini", stream=True),
        *_both("messages to anthropic", "/v1/messages", MESSAGES, "/v1/messages", "claude"),
        *_both("messages, plain strings", "/v1/messages", MESSAGES_PLAIN, "/v1/messages", "claude"),
        *_both("messages to openai", "/v1/messages", MESSAGES, "/responses", "gpt"),
        Route("messages to gemini", "/v1/messages", MESSAGES, _GENERATE, "gemini"),
        Route("messages to gemini, stream", "/v1/messages", MESSAGES, _STREAM_GENERATE, "gemini", stream=True),
        Route("messages to bedrock converse", "/v1/messages", MESSAGES, "/converse", "bedrock-converse"),
        Route(
            "messages to bedrock converse, stream", "/v1/messages", MESSAGES, "/converse-stream", "bedrock-converse",
            stream=True,
        ),
        Route("messages to bedrock invoke", "/v1/messages", MESSAGES, "/invoke", "bedrock-invoke"),
        Route(
            "messages to bedrock invoke, stream", "/v1/messages", MESSAGES, _STREAM_INVOKE, "bedrock-invoke",
            stream=True,
        ),
        *_gemini_pair("generateContent to gemini", "/v1beta/models/gemini"),
        *_gemini_pair("generateContent without /v1beta", "/models/gemini"),
        *_gemini_pair(
            "generateContent to openai", "/v1beta/models/gpt", ("/chat/completions", "/chat/completions"), folds=True
        ),
        *_gemini_pair("generateContent to anthropic", "/v1beta/models/claude", ("/v1/messages", "/v1/messages")),
    ]  # fmt: skip


def _pass_through() -> list[Route]:
    azure = "/openai/deployments/{}/chat/completions"
    vertex: JSON = {
        "key_header": "x-litellm-api-key",
        "extra_headers": {"authorization": f"Bearer {VERTEX_TOKEN}"},
    }
    return [
        *_both(
            "/anthropic", "/anthropic/v1/messages", MESSAGES, "/v1/messages", "claude-sonnet-4-5",
            extra_headers=_ANTHROPIC,
        ),
        *_gemini_pair("/gemini", "/gemini/v1beta/models/gemini-2.0-flash", key_header="x-goog-api-key"),
        Route(
            "/gemini, stream as a JSON array", f"/gemini/v1beta/models/gemini-2.0-flash{_STREAM_GENERATE}",
            GEMINI_ARRAY, _STREAM_GENERATE, stream=True, says_stream=False, key_header="x-goog-api-key",
        ),
        *_both("/openai chat", "/openai/v1/chat/completions", CHAT, "/chat/completions", "gpt-4o-mini"),
        *_both(
            "/openai_passthrough responses", "/openai_passthrough/v1/responses", RESPONSES, "/responses",
            "gpt-4o-mini",
        ),
        *_both("/azure, raw", f"/azure{azure.format('bed-raw')}", CHAT, azure.format("bed-raw"), query=_AZURE),
        *_both(
            "/azure, a model of the list", f"/azure{azure.format('azure-gpt')}", CHAT, azure.format("gpt-4o-mini"),
            query=_AZURE,
        ),
        *_gemini_pair("/vertex_ai", f"/vertex_ai{_VERTEX}", **vertex),
        *_bedrock_pair("/bedrock converse", "/bedrock/model/bedrock-claude", CONVERSE, "/converse", "/converse-stream"),
        *_bedrock_pair("/bedrock invoke", "/bedrock/model/bedrock-claude", INVOKE, "/invoke", _STREAM_INVOKE),
        *_both("custom, chat", "/custom/v1/chat/completions", CHAT, "/chat/completions", "gpt-4o-mini"),
        *_both("custom, messages", "/custom/v1/messages", MESSAGES, "/v1/messages", "claude", extra_headers=_ANTHROPIC),
        *_both("custom, responses", "/custom/v1/responses", RESPONSES, "/responses", "gpt-4o-mini"),
        *_gemini_pair("custom, generateContent", "/custom/v1beta/models/gemini-2.0-flash"),
        *_both("custom, ollama", "/custom/api/chat", OLLAMA, "/api/chat"),
    ]  # fmt: skip


ROUTES: tuple[Route, ...] = (*_native(), *_pass_through())


# --- what memory leaves alone ---


@dataclass(frozen=True, slots=True)
class Untouched:
    """A call that is no question to a model, or whose shape nobody knows; its body is made around a text."""

    id: str
    path: str
    body: Callable[[str], JSON]
    key_header: str = "authorization"

    def send(
        self, client: httpx.Client, text: str, *, key: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Make the call and read the whole answer."""
        value = f"Bearer {key}" if self.key_header == "authorization" else key
        sent = {self.key_header: value, **_ANTHROPIC, **(headers or {})}
        return client.post(self.path, headers=sent, json=self.body(text))


def _contents(text: str) -> JSON:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def _said(text: str) -> list[JSON]:
    return [{"role": "user", "content": text}]


UNTOUCHED: tuple[Untouched, ...] = (
    Untouched("embeddings", "/v1/embeddings", lambda text: {"model": "embedder", "input": text}),
    Untouched("embeddings, a list", "/v1/embeddings", lambda text: {"model": "embedder", "input": [text, "another"]}),
    Untouched("moderations", "/v1/moderations", lambda text: {"model": "moderator", "input": text}),
    Untouched("count_tokens", "/v1/messages/count_tokens", lambda text: {"model": "claude", "messages": _said(text)}),
    Untouched(
        "/anthropic count_tokens",
        "/anthropic/v1/messages/count_tokens",
        lambda text: {"model": "claude-sonnet-4-5", "messages": _said(text)},
    ),
    Untouched("/gemini countTokens", "/gemini/v1beta/models/gemini-2.0-flash:countTokens", _contents, "x-goog-api-key"),
    Untouched(
        "/gemini embedContent",
        "/gemini/v1beta/models/text-embedding-004:embedContent",
        lambda text: {"content": {"parts": [{"text": text}]}},
        "x-goog-api-key",
    ),
    Untouched(
        "/openai embeddings",
        "/openai/v1/embeddings",
        lambda text: {"model": "text-embedding-3-small", "input": text},
    ),
    Untouched(
        "completions with a suffix",
        "/v1/completions",
        lambda text: {"model": "gpt-instruct", "prompt": text, "suffix": "The end."},
    ),
    Untouched(
        "completions of a list", "/v1/completions", lambda text: {"model": "gpt-instruct", "prompt": [text, "Another."]}
    ),
    Untouched("custom, embeddings", "/custom/v1/embeddings", lambda text: {"model": "embedder", "input": text}),
    Untouched("custom, unknown shape", "/custom/jobs", lambda text: {"job": {"title": text, "steps": [1, None, True]}}),
    Untouched("custom, messages of an unknown shape", "/custom/jobs", lambda text: {"messages": {"0": text}}),
    Untouched("custom, messages of odd types", "/custom/jobs", lambda text: {"messages": [text, 7, None]}),
)


def reached(path: str, upstream: str) -> bool:
    """True when the provider's path ends as the table says."""
    return re.search(f"{re.escape(upstream)}$", path) is not None
