"""Which wire format is it? LiteLLM's call type says so on its own routes; elsewhere the path and the body's shape."""

from __future__ import annotations

import re
from collections.abc import Mapping

from litellm_memory.models import Body
from litellm_memory.wire import (
    anthropic_messages,
    bedrock_converse,
    bedrock_invoke,
    gemini_contents,
    ollama,
    openai_chat,
    openai_completions,
    openai_responses,
)
from litellm_memory.wire.content import is_object, objects
from litellm_memory.wire.format import WireFormat

NATIVE: Mapping[str, WireFormat] = {
    "acompletion": openai_chat,
    "atext_completion": openai_completions,
    "aresponses": openai_responses,
    "anthropic_messages": anthropic_messages,
    "agenerate_content": gemini_contents,
    "agenerate_content_stream": gemini_contents,
}
"""The format by the call type of LiteLLM's own routes."""

PASSED_THROUGH = ("pass_through_endpoint", "allm_passthrough_route")
"""The call types under which any JSON may come."""

ENDINGS: Mapping[str, WireFormat] = {
    "/chat/completions": openai_chat,
    "/completions": openai_completions,
    "/responses": openai_responses,
    "/messages": anthropic_messages,
    ":generateContent": gemini_contents,
    ":streamGenerateContent": gemini_contents,
    "/converse": bedrock_converse,
    "/converse-stream": bedrock_converse,
    "/invoke": bedrock_invoke,
    "/invoke-with-response-stream": bedrock_invoke,
    "/api/chat": ollama,
    "/api/generate": ollama,
}
"""The format by the end of a path; the first that fits."""

# Nobody talks to a model here, whatever the body looks like. The last line: a known endpoint with something behind it,
# such as /messages/batches, /responses/{id}/cancel or Bedrock's /model/{id}/async-invoke.
_OTHER_WORK = re.compile(
    r"/(?:embeddings?|embed|moderations?|images?|audio|videos?|rerank|batch(?:es)?|files?|uploads|fine_tuning|tokenize"
    r"|vector_stores|assistants|threads|realtime|ocr|count[_-]tokens|async-invoke)(?:/|\Z)"
    r"|:(?:countTokens|computeTokens|(?:batch)?embedContents?|batchEmbedContents|predict\w*|batchGenerateContent)\Z"
    r"|/(?:messages|responses|completions)/."
)
_WRITING = ("max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "stream", "logprobs")
"""Settings of a request to write text: what tells a prompt for text from a prompt for a picture."""

_ANSWERING = ("instructions", "previous_response_id", "max_output_tokens", "reasoning", "text", "tools", "stream")
"""Settings of a responses body: what tells its ``input`` from an embedding's."""


def recognise(call_type: str, route: str | None, body: Body) -> WireFormat | None:
    """The format of ``body``, or None when it is no conversation or its shape is ambiguous.

    ``call_type`` is LiteLLM's, ``route`` the path that the client called, ``body`` the wire body: on
    ``allm_passthrough_route`` that is what LiteLLM keeps under ``data``.
    """
    if call_type in NATIVE:
        return NATIVE[call_type]
    if call_type not in PASSED_THROUGH or not is_object(body):
        return None
    path = (route or "").partition("?")[0].rstrip("/")
    if _OTHER_WORK.search(path):
        return None
    by_path = next((known for ending, known in ENDINGS.items() if path.endswith(ending)), None)
    return by_path or _by_shape(body)


def _by_shape(body: Body) -> WireFormat | None:
    if "contents" in body:
        return gemini_contents
    if isinstance(body.get("messages"), list):
        return _by_messages(body)
    if isinstance(body.get("prompt"), str) and any(key in body for key in _WRITING):
        return openai_completions
    if "input" in body and (any(key in body for key in _ANSWERING) or any(_is_item(i) for i in objects(body["input"]))):
        return openai_responses
    return bedrock_invoke if is_object(body.get("textGenerationConfig")) else None


def _by_messages(body: Body) -> WireFormat:
    if "inferenceConfig" in body or "toolConfig" in body:
        return bedrock_converse
    return anthropic_messages if "anthropic_version" in body or "system" in body else openai_chat


def _is_item(item: Mapping[str, object]) -> bool:
    """True for an item of a conversation, which an embedding's input never has."""
    return "role" in item or "call_id" in item
