"""The official client libraries: what a person tells through one of them, another one knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import boto3  # type: ignore[import-untyped]  # it ships no types
import openai
import pytest
from bed.compare import texts_in
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import AZURE_API_VERSION, Proxy
from botocore.config import Config  # type: ignore[import-untyped]  # it ships no types
from google import genai
from google.genai import types

FACT = "I am allergic to peanuts and to nothing else."
QUESTION = "Which food am I allergic to?"


def _said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


# --- openai ---


def _openai(proxy: Proxy, user: str) -> openai.OpenAI:
    headers = {"x-memory-user-id": user}
    return openai.OpenAI(base_url=f"{proxy.url}/v1", api_key=proxy.master_key, default_headers=headers, max_retries=0)


def _openai_chat(proxy: Proxy, user: str, text: str) -> str:
    with _openai(proxy, user) as client:
        return client.chat.completions.create(model="gpt", messages=_said(text)).choices[0].message.content or ""


def _openai_chat_stream(proxy: Proxy, user: str, text: str) -> str:
    with _openai(proxy, user) as client:
        chunks = client.chat.completions.create(model="claude", messages=_said(text), stream=True)
        return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def _openai_responses(proxy: Proxy, user: str, text: str) -> str:
    with _openai(proxy, user) as client:
        return client.responses.create(model="gpt", input=text).output_text


def _openai_responses_stream(proxy: Proxy, user: str, text: str) -> str:
    with _openai(proxy, user) as client:
        events = client.responses.create(model="claude", input=text, stream=True)
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def _openai_completions(proxy: Proxy, user: str, text: str) -> str:
    with _openai(proxy, user) as client:
        return client.completions.create(model="gpt-instruct", prompt=text).choices[0].text


def _azure(proxy: Proxy, user: str, text: str, path: str) -> str:
    client = openai.AzureOpenAI(
        azure_endpoint=proxy.url + path,
        api_key=proxy.master_key,
        api_version=AZURE_API_VERSION,
        default_headers={"x-memory-user-id": user},
        max_retries=0,
    )
    with client:
        answer = client.chat.completions.create(model="azure-gpt", messages=_said(text))
        return answer.choices[0].message.content or ""


def _azure_native(proxy: Proxy, user: str, text: str) -> str:
    return _azure(proxy, user, text, "")


def _azure_pass_through(proxy: Proxy, user: str, text: str) -> str:
    return _azure(proxy, user, text, "/azure")


# --- anthropic ---


def _anthropic(proxy: Proxy, user: str, path: str = "") -> anthropic.Anthropic:
    headers = {"x-memory-user-id": user}
    url = proxy.url + path
    return anthropic.Anthropic(base_url=url, api_key=proxy.master_key, default_headers=headers, max_retries=0)


def _read(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def _anthropic_native(proxy: Proxy, user: str, text: str) -> str:
    with _anthropic(proxy, user) as client:
        return _read(client.messages.create(model="claude", max_tokens=100, messages=_said(text)))


def _anthropic_stream(proxy: Proxy, user: str, text: str) -> str:
    with (
        _anthropic(proxy, user) as client,
        client.messages.stream(model="claude", max_tokens=100, messages=_said(text)) as stream,
    ):
        return "".join(stream.text_stream)


def _anthropic_pass_through(proxy: Proxy, user: str, text: str) -> str:
    with _anthropic(proxy, user, "/anthropic") as client:
        # No real name: the library warns of those that are to be retired.
        return _read(client.messages.create(model="claude-of-the-bed", max_tokens=100, messages=_said(text)))


# --- google-genai ---


def _genai(proxy: Proxy, user: str, path: str = "") -> genai.Client:
    # LiteLLM has /v1beta/models, and no /v1/models/...:generateContent.
    options = types.HttpOptions(base_url=proxy.url + path, api_version="v1beta", headers={"x-memory-user-id": user})
    return genai.Client(api_key=proxy.master_key, http_options=options)


def _genai_native(proxy: Proxy, user: str, text: str) -> str:
    with _genai(proxy, user) as client:
        return client.models.generate_content(model="gemini", contents=text).text or ""


def _genai_stream(proxy: Proxy, user: str, text: str) -> str:
    with _genai(proxy, user) as client:
        chunks = client.models.generate_content_stream(model="gemini", contents=text)
        return "".join(chunk.text or "" for chunk in chunks)


def _genai_pass_through(proxy: Proxy, user: str, text: str) -> str:
    with _genai(proxy, user, "/gemini") as client:
        return client.models.generate_content(model="gemini-2.0-flash", contents=text).text or ""


# --- boto3 ---


def _bedrock(proxy: Proxy, user: str) -> Any:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=f"{proxy.url}/bedrock",
        region_name="us-east-1",
        aws_access_key_id="AKIABED",
        aws_secret_access_key="secret",
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )

    def add_headers(request: Any, **_: Any) -> None:
        request.headers["x-litellm-api-key"] = proxy.master_key
        request.headers["x-memory-user-id"] = user

    client.meta.events.register("before-send.bedrock-runtime.*", add_headers)
    return client


def _bedrock_said(text: str) -> dict[str, Any]:
    return {"modelId": "bedrock-claude", "messages": [{"role": "user", "content": [{"text": text}]}]}


def _bedrock_converse(proxy: Proxy, user: str, text: str) -> str:
    answer = _bedrock(proxy, user).converse(**_bedrock_said(text))
    return "".join(part["text"] for part in answer["output"]["message"]["content"])


def _bedrock_converse_stream(proxy: Proxy, user: str, text: str) -> str:
    events = _bedrock(proxy, user).converse_stream(**_bedrock_said(text))["stream"]
    return "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)


CLIENTS: dict[str, Callable[[Proxy, str, str], str]] = {
    "openai chat": _openai_chat,
    "anthropic": _anthropic_native,
    "google-genai": _genai_native,
    "bedrock converse": _bedrock_converse,
    "openai responses": _openai_responses,
    "anthropic stream": _anthropic_stream,
    "google-genai stream": _genai_stream,
    "bedrock converse stream": _bedrock_converse_stream,
    "openai chat stream": _openai_chat_stream,
    "anthropic /anthropic": _anthropic_pass_through,
    "google-genai /gemini": _genai_pass_through,
    "azure openai": _azure_native,
    "openai responses stream": _openai_responses_stream,
    "azure openai /azure": _azure_pass_through,
    "openai completions": _openai_completions,
}
# Each one tells once and asks once: a ring.
PAIRS = list(zip(CLIENTS, [*list(CLIENTS)[1:], "openai chat"], strict=True))


@pytest.mark.parametrize(("teller", "asker"), PAIRS, ids=[f"{teller} tells {asker}" for teller, asker in PAIRS])
def test_what_one_library_was_told_another_one_knows(
    teller: str, asker: str, user: str, proxy: Proxy, provider: Provider, memories: Memories
) -> None:
    assert CLIENTS[teller](proxy, user, FACT) == "Noted."
    memories.wait_for(user, lambda found: bool(mentioning(found, FACT)))
    provider.reset()
    assert CLIENTS[asker](proxy, user, QUESTION) == "Noted."
    [received] = [request for request in provider.take() if request.method == "POST"]
    assert sum(text.count(FACT) for text in texts_in(received.body)) == 1
