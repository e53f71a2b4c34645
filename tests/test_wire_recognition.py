"""Which requests are conversations, and in which format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.wire import (
    WireFormat,
    anthropic_messages,
    bedrock_converse,
    bedrock_invoke,
    gemini_contents,
    may_be_conversation,
    ollama,
    openai_chat,
    openai_completions,
    openai_responses,
    recognise,
)

PASS, ROUTER = "pass_through_endpoint", "allm_passthrough_route"
SAID = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    ("call_type", "expected"),
    [
        ("acompletion", openai_chat.FORMAT),
        ("atext_completion", openai_completions.FORMAT),
        ("aresponses", openai_responses.FORMAT),
        ("anthropic_messages", anthropic_messages.FORMAT),
        ("agenerate_content", gemini_contents.FORMAT),
        ("agenerate_content_stream", gemini_contents.FORMAT),
        ("aembedding", None),
        ("moderation", None),
        ("aimage_generation", None),
        ("acreate_interaction", None),
        ("arerank", None),
        ("", None),
    ],
)
def test_litellms_own_routes_are_known_by_their_call_type(call_type: str, expected: WireFormat | None) -> None:
    assert recognise(call_type, None, SAID) is expected


@pytest.mark.parametrize(
    ("call_type", "route", "expected"),
    [
        (PASS, "/openai/v1/chat/completions", openai_chat.FORMAT),
        (PASS, "/azure/openai/deployments/m/chat/completions?api-version=1", openai_chat.FORMAT),
        (PASS, "/openai/v1/completions", openai_completions.FORMAT),
        (PASS, "/openai/v1/responses", openai_responses.FORMAT),
        (PASS, "/anthropic/v1/messages", anthropic_messages.FORMAT),
        (PASS, "/anthropic/v1/messages/", anthropic_messages.FORMAT),
        (PASS, "/gemini/v1beta/models/m:generateContent", gemini_contents.FORMAT),
        (
            PASS,
            "/vertex_ai/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent",
            gemini_contents.FORMAT,
        ),
        (PASS, "/local/api/chat", ollama.FORMAT),
        (ROUTER, "/bedrock/model/m/converse", bedrock_converse.FORMAT),
        (ROUTER, "/bedrock/model/m/converse-stream", bedrock_converse.FORMAT),
        (ROUTER, "/bedrock/model/m/invoke", bedrock_invoke.FORMAT),
        (ROUTER, "/bedrock/model/m/invoke-with-response-stream", bedrock_invoke.FORMAT),
        (PASS, "/openai/v1/embeddings", None),
        (PASS, "/openai/v1/moderations", None),
        (PASS, "/openai/v1/images/generations", None),
        (PASS, "/openai/v1/audio/speech", None),
        (PASS, "/openai/v1/files", None),
        (PASS, "/openai/v1/batches", None),
        (PASS, "/openai/v1/threads/t/messages", None),
        (PASS, "/openai/v1/responses/resp_1/cancel", None),
        (PASS, "/anthropic/v1/messages/count_tokens", None),
        (PASS, "/anthropic/v1/messages/batches", None),
        (PASS, "/cohere/v2/rerank", None),
        (PASS, "/gemini/v1beta/models/m:countTokens", None),
        (PASS, "/gemini/v1beta/models/m:embedContent", None),
        (PASS, "/gemini/v1beta/models/m:batchEmbedContents", None),
        (ROUTER, "/bedrock/model/m/count-tokens", None),
        (ROUTER, "/bedrock/async-invoke", None),
    ],
)
def test_a_path_that_says_what_it_does_decides(call_type: str, route: str, expected: WireFormat | None) -> None:
    anything = {**SAID, "contents": [{"parts": [{"text": "hello"}]}], "model": "m", "input": "hello", "prompt": "hello"}
    assert recognise(call_type, route, anything) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(SAID, openai_chat.FORMAT, id="messages"),
        pytest.param({**SAID, "system": "Be brief."}, anthropic_messages.FORMAT, id="messages and system"),
        pytest.param(
            {**SAID, "anthropic_version": "vertex-2023-10-16"}, anthropic_messages.FORMAT, id="anthropic on vertex"
        ),
        pytest.param({**SAID, "inferenceConfig": {}}, bedrock_converse.FORMAT, id="converse"),
        pytest.param({"contents": [{"parts": [{"text": "hello"}]}]}, gemini_contents.FORMAT, id="contents"),
        pytest.param(
            {"model": "m", "input": "hello", "instructions": "Be brief."}, openai_responses.FORMAT, id="instructions"
        ),
        pytest.param({"model": "m", "input": [{"role": "user", "content": "hi"}]}, openai_responses.FORMAT, id="items"),
        pytest.param({"model": "m", "prompt": "hello", "max_tokens": 5}, openai_completions.FORMAT, id="prompt"),
        pytest.param({"inputText": "hello", "textGenerationConfig": {}}, bedrock_invoke.FORMAT, id="titan"),
        pytest.param({"model": "m", "input": "hello"}, None, id="input alone may be an embedding's"),
        pytest.param({"model": "m", "input": ["hello"]}, None, id="inputs may be an embedding's"),
        pytest.param({"model": "m", "prompt": "a hat", "n": 1}, None, id="prompt may be a picture's"),
        pytest.param({"inputText": "hello"}, None, id="inputText may be an embedding's"),
        pytest.param({"query": "hello", "documents": []}, None, id="something else"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_a_path_that_says_nothing_leaves_it_to_the_shape(body: dict[str, Any], expected: WireFormat | None) -> None:
    assert recognise(PASS, "/my-provider", body) is expected
    assert recognise(PASS, None, body) is expected


@given(
    st.sampled_from(["acompletion", PASS, ROUTER]),
    st.none() | st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["messages", "input", "prompt", "role"]), inner)
        ),
    ),
)
def test_no_json_is_too_odd_to_recognise(call_type: str, route: str | None, body: Any) -> None:
    recognise(call_type, route, body)


@pytest.mark.parametrize(
    ("call_type", "route", "expected"),
    [
        ("acompletion", "/v1/chat/completions", True),
        ("aembedding", "/v1/embeddings", False),
        ("moderation", "/v1/moderations", False),
        ("aimage_generation", "/v1/images/generations", False),
        (PASS, "/openai/v1/embeddings", False),
        (PASS, "/openai/v1/anything", True),
    ],
)
def test_what_is_never_a_conversation_is_left_alone(call_type: str, route: str, expected: bool) -> None:
    assert may_be_conversation(call_type, route) is expected
