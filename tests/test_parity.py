"""What earlier memory proxies and gateways did, done here: LiteLLM with the pages' own configurations and memory."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from bed.answers import Answer, Received
from bed.memories import Memories, mentioning
from bed.pages import all_in_one, variables_of
from bed.provider import Provider
from bed.proxy import Proxy

from litellm_memory.settings import Settings

JSON: TypeAlias = dict[str, Any]

MEMORY = "My sister Anna plays the cello in Graz."
QUESTION = "Which instrument does my sister Anna play?"
PING_SECONDS = 0.1
LATE_SECONDS = 0.5
ADDRESSES: Mapping[str, str] = {
    "UPSTREAM_BASE_URL": "/v1",
    "BACKEND_URL": "/v1",
    "GEMINI_BASE_URL": "/v1beta",
    "SUPERMEMORY_ROUTER_URL": "/v3/https://api.openai.com/v1",
}
"""Where a variable of the pages leads at the loopback provider; all other addresses lead to its root."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def proxy(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """LiteLLM with the configurations of all pages at once; nothing is changed but how long it waits, and for whom."""
    session_provider.reset()
    config = all_in_one()
    models, memory = config.pop("model_list"), config.pop("litellm_memory")
    memory["recall"] = {"min_score": Settings().recall.min_score}
    directory = tmp_path_factory.mktemp("parity")
    keys = "aws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret\n"
    profiles = directory / "profiles"
    profiles.write_text(f"[{at(session_provider.url, 'BEDROCK_PROFILE')}]\n{keys}")
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
        **{name: at(session_provider.url, name) for name in variables_of([models, config])},
        "OTEL_EXPORTER": "console",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    del config["general_settings"]["master_key"]
    config["litellm_settings"]["callbacks"] = ["litellm_memory.handler", "prometheus", "otel"]
    config["litellm_settings"]["sse_keepalive_ping_interval_seconds"] = PING_SECONDS
    [slow] = [model["litellm_params"] for model in models if model["model_name"] == "chat"]
    slow["timeout"] = LATE_SECONDS
    with Proxy(
        directory, session_provider.url, memory=memory, config=config, models=models, environment=environment
    ) as proxy:
        with proxy.sidecar() as sidecar:
            Memories(proxy, sidecar).wait_until_ready()
        yield proxy


def at(provider: str, variable: str) -> str:
    """What an environment variable of the pages holds: an address of the provider, or a key that tells its name."""
    if variable.endswith(("_URL", "_ENDPOINT")):
        return provider + ADDRESSES.get(variable, "")
    return f"sk-{variable.lower()}"


@pytest.fixture
def client(proxy: Proxy, provider: Provider) -> Iterator[httpx.Client]:
    provider.take()
    with proxy.client() as client:
        yield client


@pytest.fixture(scope="module")
def memories(proxy: Proxy) -> Iterator[Memories]:
    with proxy.sidecar() as sidecar:
        yield Memories(proxy, sidecar)


@pytest.fixture
def user() -> str:
    return f"newcomer-{next(_numbers)}"


def chat(
    client: httpx.Client, model: str, words: str = QUESTION, *, headers: Any = None, **more: Any
) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": words}], **more}
    return client.post("/v1/chat/completions", json=body, headers=headers)


def asked(provider: Provider) -> list[Received]:
    """The questions that reached the provider; LiteLLM also asks it for its models."""
    return [received for received in provider.take() if received.method == "POST"]


def only_one_asked(provider: Provider) -> Received:
    """The one question that reached the provider.

    LiteLLM retries it when one of its threads changes a dictionary that another just reads, which is seldom.
    """
    first, *again = asked(provider)
    assert {(received.path, received.raw) for received in again} <= {(first.path, first.raw)}
    return first


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- providers ---


@pytest.mark.parametrize(
    ("model", "upstream"),
    [
        ("gpt", "/v1/chat/completions"),
        ("claude", "/v1/messages"),
        ("gemini", "/v1beta/models/gemini-2.0-flash:generateContent"),
        ("azure-gpt", "/openai/deployments/gpt-4o-mini/chat/completions"),
        ("bedrock-claude", "/model/anthropic.claude-3-5-sonnet-20240620-v1:0/converse"),
        ("chat", "/v1/chat/completions"),
        ("local", "/api/chat"),
        ("together", "/v1/chat/completions"),
        ("by-responses", "/v1/responses"),
    ],
)
def test_every_provider_is_given_the_memory(
    client: httpx.Client, provider: Provider, memories: Memories, user: str, model: str, upstream: str
) -> None:
    memories.add(MEMORY, user=user)
    answer = chat(client, model, headers={"x-memory-user-id": user})
    received = only_one_asked(provider)
    assert (answer.status_code, answer.headers["x-memory-status"]) == (200, "injected")
    assert received.path == upstream
    assert received.raw.count(MEMORY.encode()) == 1


def test_a_provider_gets_the_key_the_version_and_the_parameters_of_its_model(
    client: httpx.Client, provider: Provider
) -> None:
    for model in ("gpt", "claude", "gemini", "azure-gpt", "bedrock-claude"):
        chat(client, model)
    gpt, claude, gemini, azure, bedrock = asked(provider)
    assert gpt.headers["authorization"] == "Bearer sk-upstream_api_key"
    assert (claude.headers["x-api-key"], claude.headers["anthropic-version"]) == ("sk-anthropic_api_key", "2023-06-01")
    assert gemini.headers["x-goog-api-key"] == "sk-gemini_api_key"
    assert (azure.headers["api-key"], azure.query["api-version"]) == ("sk-azure_openai_api_key", "2024-02-01")
    assert "Credential=sk-aws_access_key_id/" in bedrock.headers["authorization"]
    assert "/us-east-1/bedrock/" in bedrock.headers["authorization"]
    assert bedrock.body["inferenceConfig"]["maxTokens"] == 1024


def test_a_profile_of_the_host_signs_for_bedrock(client: httpx.Client, provider: Provider) -> None:
    chat(client, "bedrock-by-profile")
    assert "Credential=AKIAPROFILE/" in only_one_asked(provider).headers["authorization"]


def test_a_provider_is_reached_through_an_http_proxy(provider: Provider, tmp_path: Path) -> None:
    """The loopback provider takes the place of the HTTP proxy, and is asked for a host that does not exist."""
    params = {"model": "openai/gpt-4o-mini", "api_key": "sk-provider", "api_base": "http://provider.invalid/v1"}
    away: JSON = {"model_name": "away", "litellm_params": params}
    way = {"HTTP_PROXY": provider.url, "NO_PROXY": "127.0.0.1,localhost"}
    with (
        Proxy(tmp_path, provider.url, memory={}, models=[away], environment=way) as proxy,
        proxy.client() as client,
        proxy.sidecar() as sidecar,
    ):
        kept = Memories(proxy, sidecar)
        kept.wait_until_ready()
        kept.add(MEMORY, user="default")
        answer = chat(client, "away")
        received = only_one_asked(provider)
    assert (answer.status_code, answer.headers["x-memory-status"]) == (200, "injected")
    assert received.headers["host"] == "provider.invalid"
    assert received.raw.count(MEMORY.encode()) == 1


def test_embeddings_are_left_alone(client: httpx.Client, provider: Provider, memories: Memories, user: str) -> None:
    memories.add(MEMORY, user=user)
    body = {"model": "azure-embedder", "input": QUESTION}
    answer = client.post("/v1/embeddings", json=body, headers={"x-memory-user-id": user})
    assert (answer.status_code, [name for name in answer.headers if name.startswith("x-memory")]) == (200, [])
    client.post(
        "/v1/embeddings",
        json={**body, "model": "bedrock-embedder", "num_retries": 0},
        headers={"x-memory-user-id": user},
    )
    azure, bedrock, *_ = asked(provider)
    assert (azure.path, azure.body["input"]) == ("/openai/deployments/text-embedding-3-small/embeddings", QUESTION)
    assert bedrock.body == {"texts": [QUESTION], "input_type": "search_document"}


def test_what_the_client_says_to_the_provider_is_passed_on(client: httpx.Client, provider: Provider, user: str) -> None:
    """And what it says to memory is not."""
    chat(client, "claude", headers={"x-trace-of-mine": "7", "x-memory-user-id": user, "x-ai-mem-inject": "false"})
    received = only_one_asked(provider)
    assert received.headers["x-trace-of-mine"] == "7"
    assert user not in json.dumps(dict(received.headers))
    assert "x-ai-mem-inject" not in received.headers


# --- routing ---


def test_several_keys_of_one_model_take_turns(client: httpx.Client, provider: Provider) -> None:
    for _ in range(20):
        assert chat(client, "pool").status_code == 200
    assert {received.headers["authorization"] for received in asked(provider)} == {
        "Bearer sk-first_key",
        "Bearer sk-second_key",
    }


def test_a_key_that_is_refused_rests_while_the_next_one_serves(client: httpx.Client, provider: Provider) -> None:
    provider.script(Answer(status=429))
    answers = [chat(client, "in-order") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    first, *rest = [received.headers["authorization"] for received in asked(provider)]
    assert (first, set(rest)) == ("Bearer sk-first_key", {"Bearer sk-second_key"})


def test_a_model_that_fails_falls_back_with_the_same_memory(
    client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    memories.add(MEMORY, user=user)
    provider.script(Answer(status=500))
    # Versions of LiteLLM differ in whether a model without siblings is tried again before its fallback is.
    answer = chat(client, "frail", headers={"x-memory-user-id": user}, num_retries=0)
    failed, served = asked(provider)
    assert answer.status_code == 200
    assert failed.headers["authorization"] == "Bearer sk-third_key"
    assert served.headers["authorization"] in ("Bearer sk-first_key", "Bearer sk-second_key")
    assert failed.body["messages"] == served.body["messages"]
    assert served.raw.count(MEMORY.encode()) == 1


@pytest.mark.parametrize(("model", "upstream"), [("smart", "gpt-4o-mini"), ("openai/gpt-4.1", "gpt-4.1")])
def test_an_alias_and_a_wildcard_reach_a_model(
    client: httpx.Client, provider: Provider, model: str, upstream: str
) -> None:
    assert chat(client, model).status_code == 200
    received = only_one_asked(provider)
    assert received.body["model"] == upstream


def test_parameters_have_defaults_and_some_are_dropped(client: httpx.Client, provider: Provider) -> None:
    chat(client, "tame", logit_bias={"50256": -100})
    chat(client, "tame", temperature=1)
    default, asked_for = asked(provider)
    assert (default.body["temperature"], default.body.get("logit_bias")) == (0.2, None)
    assert asked_for.body["temperature"] == 1


def test_a_model_that_nobody_configured_is_refused(client: httpx.Client) -> None:
    refused = chat(client, "nobody-knows-it")
    assert refused.status_code == 400
    assert "nobody-knows-it" in refused.json()["error"]["message"]


# --- limits, errors, health ---


def test_a_model_has_a_limit_of_requests(client: httpx.Client) -> None:
    statuses = [chat(client, "limited").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_a_backend_that_takes_too_long_is_a_timeout(client: httpx.Client, provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(gate=gate))
    late = chat(client, "chat", num_retries=0)
    gate.set()
    assert (late.status_code, late.json()["error"]["code"]) == (408, "408")


def test_an_error_of_the_backend_reaches_the_client(client: httpx.Client, provider: Provider) -> None:
    provider.script(Answer(status=400))
    refused = chat(client, "gpt")
    assert refused.status_code == 400
    assert "The provider refused." in refused.json()["error"]["message"]


def test_a_stream_that_waits_is_kept_alive_and_then_passed_on(client: httpx.Client, provider: Provider) -> None:
    gate = threading.Event()
    provider.script(Answer(text="It is late.", gate=gate))
    lines: list[str] = []
    body = {"model": "gpt", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            lines.append(line)
            gate.set()
    assert lines[0].startswith(":")
    assert "data: [DONE]" in lines[-2:]
    told = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in told if chunk["choices"]) == (
        "It is late."
    )


def test_health_and_models_are_there(proxy: Proxy, client: httpx.Client) -> None:
    assert [client.get(path).status_code for path in ("/health/liveliness", "/health/readiness")] == [200, 200]
    listed = {model["id"] for model in client.get("/v1/models").json()["data"]}
    assert {"gpt", "claude", "smart", "pool", "openai/gpt-4o-mini"} <= listed
    described = client.get("/model/info").json()["data"]
    assert "sk-first_key" not in json.dumps(described)
    assert {model["model_name"] for model in described} >= {"gpt", "pool"}


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_key_may_be_a_bearer_or_an_api_key(proxy: Proxy, provider: Provider, header: str) -> None:
    key = f"Bearer {proxy.master_key}" if header == "authorization" else proxy.master_key
    with httpx.Client(base_url=proxy.url, trust_env=False, verify=False, headers={header: key}) as client:
        assert chat(client, "gpt").status_code == 200


# --- whose memory ---


@pytest.mark.parametrize(
    ("headers", "user", "default"),
    [
        pytest.param({"user-agent": "OpenAIClientImpl/Java 4.1"}, "pycharm-ai", False, id="pattern"),
        pytest.param({"user-agent": "claude-cli/2.0.1 (external, cli)"}, "claude-cli", False, id="another pattern"),
        pytest.param(
            {"user-agent": "OpenAIClientImpl/Java 4.1", "x-memory-user-id": "ann"}, "ann", False, id="header first"
        ),
        pytest.param({"user-agent": "something else"}, "default-dev", True, id="default"),
    ],
)
def test_user_id_mappings_choose_the_user_in_their_order(
    proxy: Proxy, headers: dict[str, str], user: str, default: bool
) -> None:
    with proxy.client() as litellm, proxy.sidecar() as sidecar:
        told = [client.get("/memory-routing/info", headers=headers).json() for client in (litellm, sidecar)]
    assert [(info["user_id"], info["is_default"]) for info in told] == [(user, default)] * 2
    assert told[0]["custom_header_present"] == ("x-memory-user-id" in headers)


def test_the_routing_page_names_the_pattern_and_echoes_no_key(proxy: Proxy) -> None:
    with proxy.client() as client:
        told = client.get("/memory-routing/info", headers={"user-agent": "OpenAIClientImpl/Java 4.1"})
    assert told.json()["matched_pattern"] == {
        "header": "user-agent",
        "value": "OpenAIClientImpl/Java 4.1",
        "pattern": "OpenAIClientImpl/Java",
        "user_id": "pycharm-ai",
    }
    assert proxy.master_key not in told.text


def test_a_matched_user_has_a_memory_of_its_own(client: httpx.Client, provider: Provider, memories: Memories) -> None:
    memories.add(MEMORY, user="pycharm-ai")
    statuses = [
        chat(client, "gpt", headers={"user-agent": agent}).headers["x-memory-status"]
        for agent in ("OpenAIClientImpl/Java 4.1", "something else")
    ]
    assert statuses == ["injected", "empty"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, "injected", id="nothing"),
        pytest.param({"x-ai-mem-project": "atlas"}, "injected", id="x-ai-mem-project"),
        pytest.param({"x-ai-mem-project": "other"}, "empty", id="x-ai-mem-project, another one"),
        pytest.param({"x-ai-mem-session-id": "s-2"}, "empty", id="x-ai-mem-session-id"),
        pytest.param({"x-ai-mem-inject": "off"}, "off", id="x-ai-mem-inject"),
        pytest.param({"x-ai-mem-query": "the price of tea"}, "empty", id="x-ai-mem-query"),
        pytest.param({"x-ai-mem-obs-type": "decision"}, "empty", id="x-ai-mem-obs-type"),
        pytest.param({"x-ai-mem-obs-types": "fact,decision"}, "injected", id="x-ai-mem-obs-types"),
        pytest.param({"x-ai-mem-tags": "family"}, "injected", id="x-ai-mem-tags"),
        pytest.param({"x-ai-mem-tags": "work"}, "empty", id="x-ai-mem-tags, another one"),
        pytest.param({"x-ai-mem-total": "0"}, "empty", id="x-ai-mem-total"),
        pytest.param({"X-MAIA-Skip-Memory": "true"}, "off", id="X-MAIA-Skip-Memory"),
        pytest.param({"X-MAIA-Skip-Memory": "0"}, "injected", id="X-MAIA-Skip-Memory, not"),
        pytest.param({"X-MAIA-Token-Budget": "1"}, "empty", id="X-MAIA-Token-Budget"),
    ],
)
def test_the_headers_that_clients_send_already_are_obeyed(
    client: httpx.Client, provider: Provider, memories: Memories, user: str, headers: dict[str, str], status: str
) -> None:
    memories.add(MEMORY, user=user, kind="fact", tags=["family"], project="atlas")
    answer = chat(client, "gpt", headers={"X-MAIA-Namespace": user, **headers})
    received = only_one_asked(provider)
    assert (answer.headers["x-memory-status"], MEMORY.encode() in received.raw) == (status, status == "injected")
    assert [name for name in received.headers if name.startswith(("x-ai-mem", "x-maia", "x-memory"))] == []


def test_the_block_is_written_as_the_headers_of_ai_mem_wish(
    client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    memories.add(MEMORY, user=user)
    wished = {"x-ai-mem-total": "12", "x-ai-mem-full": "4", "x-ai-mem-full-field": "content"}
    shown = {"x-ai-mem-show-tokens": "false", "x-ai-mem-wrap": "true"}
    chat(client, "gpt", headers={"X-MAIA-Namespace": user, **wished, **shown})
    received = only_one_asked(provider)
    assert received.raw.count(b"<ai-mem-context>") == 1
    assert MEMORY.encode() in received.raw
    assert b"Tokens: " not in received.raw


@pytest.mark.parametrize("header", [{"x-ai-mem-store": "false"}, {"X-MAIA-Skip-Extract": "true"}])
def test_what_is_not_to_be_stored_is_not(
    client: httpx.Client, memories: Memories, user: str, header: dict[str, str]
) -> None:
    chat(client, "gpt", "My brother Emil sails a red boat.", headers={"X-MAIA-Namespace": user, **header})
    chat(client, "gpt", "My aunt Rosa keeps seven bees.", headers={"X-MAIA-Namespace": user})
    found = memories.wait_for(user, lambda found: bool(mentioning(found, "Rosa")))
    assert mentioning(found, "Emil") == []


# --- a memory vendor's router, and chosen words ---


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": QUESTION}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": QUESTION}], "stream": True}),
        ("/v1/messages", {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 99}),
        ("/v1/responses", {"input": QUESTION}),
    ],
    ids=["chat", "chat, stream", "messages", "responses"],
)
def test_a_memory_vendors_router_is_told_the_user_and_given_no_block(
    client: httpx.Client, provider: Provider, memories: Memories, user: str, path: str, body: JSON
) -> None:
    memories.add(MEMORY, user=user)
    answer = client.post(path, json={"model": "remembered-gpt", **body}, headers={"x-memory-user-id": user})
    assert (answer.status_code, answer.headers["x-memory-reason"]) == (200, "vendor_memory")
    received = only_one_asked(provider)
    assert received.path.startswith("/v3/https://api.openai.com/v1/")
    sent = {name: received.headers.get(name) for name in ("x-sm-user-id", "x-supermemory-api-key", "x-memory-user-id")}
    assert sent == {
        "x-sm-user-id": user,
        "x-supermemory-api-key": "sk-supermemory_api_key",
        "x-memory-user-id": None,
    }
    assert MEMORY.encode() not in received.raw


def test_nobody_but_the_vendor_is_told_the_user(client: httpx.Client, provider: Provider, user: str) -> None:
    chat(client, "gpt", headers={"x-memory-user-id": user})
    received = only_one_asked(provider)
    assert user not in json.dumps(dict(received.headers))


def test_chosen_words_reach_neither_the_provider_nor_the_memory(
    client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    chat(client, "gpt", "My project Bluebird ships on Thursday.", headers={"x-memory-user-id": user})
    received = only_one_asked(provider)
    assert b"Bluebird" not in received.raw
    found = memories.wait_for(user, lambda found: bool(mentioning(found, "ships on Thursday")))
    assert mentioning(found, "Bluebird") == []


# --- figures and spans ---


def test_litellms_own_metrics_hold_memorys(proxy: Proxy, client: httpx.Client) -> None:
    chat(client, "gpt")
    with proxy.sidecar() as sidecar:
        wait_for(lambda: figures(client.get("/metrics/").text) == figures(sidecar.get("/metrics").text) != [])
    assert "litellm_proxy_total_requests_metric" in client.get("/metrics/").text


def figures(page: str) -> list[str]:
    """The requests that memory counted, line by line."""
    return sorted(line for line in page.splitlines() if line.startswith("litellm_memory_requests_total{"))


def test_litellms_trace_of_a_request_holds_memorys_span(proxy: Proxy, client: httpx.Client, user: str) -> None:
    trace = chat(client, "gpt", headers={"x-memory-user-id": user}).headers["x-memory-trace"]
    wait_for(lambda: any(span["attributes"].get("memory.trace") == trace for span in spans(proxy.log)))
    [ours] = [span for span in spans(proxy.log) if span["attributes"].get("memory.trace") == trace]
    assert ours["name"] == "memory recall"
    assert {name: ours["attributes"][name] for name in ("memory.status", "memory.reason", "memory.kind")} == {
        "memory.status": "empty",
        "memory.reason": "nothing_relevant",
        "memory.kind": "person",
    }
    assert ours["attributes"]["memory.recall_ms"] > 0
    assert user not in json.dumps(ours)
    wait_for(lambda: any(span["context"]["span_id"] == ours["parent_id"] for span in spans(proxy.log)))
    [parent] = [span for span in spans(proxy.log) if span["context"]["span_id"] == ours["parent_id"]]
    assert parent["kind"] == "SpanKind.SERVER"
    assert parent["context"]["trace_id"] == ours["context"]["trace_id"]


def spans(log: str) -> list[JSON]:
    """The spans that OpenTelemetry's console exporter wrote between the lines of a log."""
    found, decoder = [], json.JSONDecoder()
    for begin in (place for place in range(len(log)) if log.startswith('{\n    "name":', place)):
        try:
            found.append(decoder.raw_decode(log, begin)[0])
        except ValueError:
            continue  # It is being written.
    return found
