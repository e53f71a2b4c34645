"""Embedding models that LiteLLM calls: what they are sent, what happens when they are late, refuse or are down."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bed.answers import Answer
from bed.memories import Memories
from bed.provider import Provider
from bed.proxy import Proxy, models_at

from litellm_memory.cli.models import models_for
from litellm_memory.embedding import RemoteModel
from litellm_memory.embedding.remote import BATCH, MAX_CHARACTERS, RECENT
from litellm_memory.errors import ModelCallError, RefusedTextError
from litellm_memory.llm import Models, models_of
from litellm_memory.redact import redact
from litellm_memory.setup.checks import findings

# LiteLLM's types warn when they are first used.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydantic.*")
TEXTS = ["one", "two words"]


def models(provider: Provider) -> Models:
    """The models of the bed, and two names that are no single model."""
    at = {"api_base": f"{provider.url}/v1", "api_key": "sk-provider"}
    aws = next(model for model in models_at(provider.url) if model["model_name"] == "bedrock-claude")["litellm_params"]
    more = {
        "azure": {"model": "azure/text-embedding-3-small", "api_base": provider.url, "api_version": "2024-10-21"},
        "titan": {**aws, "model": "bedrock/amazon.titan-embed-text-v2:0"},
        "bedrock-cohere": {**aws, "model": "bedrock/cohere.embed-multilingual-v3"},
        "cohere": {"model": "cohere/embed-english-v3.0", "api_base": f"{provider.url}/v2/embed"},
        "gemini-embedder": {"model": "gemini/text-embedding-004", "api_base": f"{provider.url}/v1beta"},
        "voyage": {"model": "voyage/voyage-3", **at},
        "ollama": {"model": "ollama/nomic-embed-text", "api_base": provider.url},
        "e5": {"model": "openai/intfloat/e5-large-v2", **at},
        "wild/*": {"model": "openai/*", **at},
    }
    listed = [{"model_name": name, "litellm_params": {"api_key": "sk", **given}} for name, given in more.items()]
    twice = [
        {"model_name": "two", "litellm_params": {"model": f"openai/{name}", **at}}
        for name in ("ada", "text-embedding-3")
    ]
    return models_of({"model_list": [*models_at(provider.url), *listed, *twice]})


def sent(provider: Provider) -> list[Any]:
    """What of each request says which text it is, and on which side."""
    bodies = [received.body for received in provider.take()]
    names = ("input", "inputText", "texts", "input_type", "requests")
    return [{name: body[name] for name in names if name in body} for body in bodies]


def gemini(text: str, side: str) -> dict[str, Any]:
    return {"model": "models/text-embedding-004", "content": {"parts": [{"text": text}]}, "taskType": side}


@pytest.mark.parametrize(
    ("model", "asking", "telling"),
    [
        pytest.param("embedder", [{"input": TEXTS}], [{"input": TEXTS}], id="openai"),
        pytest.param("azure", [{"input": TEXTS}], [{"input": TEXTS}], id="azure"),
        pytest.param("titan", [{"inputText": t} for t in TEXTS], [{"inputText": t} for t in TEXTS], id="bedrock titan"),
        *(
            pytest.param(
                model,
                [{"texts": TEXTS, "input_type": "search_query"}],
                [{"texts": TEXTS, "input_type": "search_document"}],
                id=model,
            )
            for model in ("bedrock-cohere", "cohere")
        ),
        pytest.param(
            "gemini-embedder",
            [{"requests": [gemini(text, "RETRIEVAL_QUERY") for text in TEXTS]}],
            [{"requests": [gemini(text, "RETRIEVAL_DOCUMENT") for text in TEXTS]}],
            id="gemini",
        ),
        pytest.param(
            "voyage",
            [{"input": TEXTS, "input_type": "query"}],
            [{"input": TEXTS, "input_type": "document"}],
            id="voyage",
        ),
        pytest.param(
            "ollama",
            [{"input": ["search_query: one", "search_query: two words"]}],
            [{"input": ["search_document: one", "search_document: two words"]}],
            id="ollama nomic",
        ),
        pytest.param(
            "e5",
            [{"input": ["query: one", "query: two words"]}],
            [{"input": ["passage: one", "passage: two words"]}],
            id="e5",
        ),
    ],
)
async def test_every_provider_gives_a_vector_a_text_and_is_told_which_side_it_is_on(
    provider: Provider, model: str, asking: list[Any], telling: list[Any]
) -> None:
    called = models(provider)
    for side, expected in ((True, asking), (False, telling)):
        vectors = await called.vectors(model, TEXTS, asking=side, dimensions=None, seconds=20)
        assert vectors == [[0.25, -0.5, 0.75]] * 2
        # Bedrock's Titan takes one text a call, in any order.
        assert sorted(sent(provider), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize(
    ("model", "behind"),
    [
        ("embedder", "openai/text-embedding-3-small"),
        ("titan", "bedrock/amazon.titan-embed-text-v2:0"),
        ("wild/some-model", "openai/some-model"),
        ("voyage/voyage-3", "voyage/voyage-3"),
        ("text-embedding-3-large", "openai/text-embedding-3-large"),
    ],
)
def test_a_model_is_known_by_its_providers_name(provider: Provider, model: str, behind: str) -> None:
    assert models(provider).behind(model) == behind


@pytest.mark.parametrize(
    ("model", "complaint"), [("two", "several models, whose vectors differ"), ("nowhere", "neither in model_list nor")]
)
def test_a_name_that_is_no_single_model_is_refused(provider: Provider, model: str, complaint: str) -> None:
    with pytest.raises(ModelCallError, match=complaint):
        models(provider).behind(model)


async def test_errors_name_the_model_and_quote_nothing(provider: Provider) -> None:
    called = models(provider)
    for status, kind in ((400, RefusedTextError), (401, ModelCallError), (500, ModelCallError)):
        provider.answer = Answer(status=status)
        with pytest.raises(kind) as raised:
            await called.vectors("embedder", ["a private matter"], asking=True, dimensions=None, seconds=20)
        assert type(raised.value) is kind
        assert str(raised.value).startswith("embedder ")
        assert "private" not in str(raised.value)


class Scripted:
    """Models that give each text a vector of its length, unless a test has them do otherwise."""

    def __init__(self, refuses: Callable[[str], bool] = lambda text: False) -> None:
        self.calls: list[list[str]] = []
        self.down = False
        self.gate: asyncio.Event | None = None
        self._refuses = refuses

    def behind(self, model: str) -> str:
        return f"loopback/{model}"

    async def vectors(
        self, model: str, texts: Sequence[str], *, asking: bool, dimensions: int | None, seconds: float
    ) -> list[list[float]]:
        self.calls.append(list(texts))
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise ModelCallError("down")
        if any(self._refuses(text) for text in texts):
            raise RefusedTextError("no")
        return [[3.0, 4.0, 0.0] for _ in texts]


def remote(scripted: Scripted, **more: Any) -> RemoteModel:
    return RemoteModel(scripted, "model", clean=redact, **more)


def test_the_chosen_length_and_the_recipe_are_part_of_the_identity() -> None:
    assert remote(Scripted()).identity == "loopback/model-passages"
    assert remote(Scripted(), dimensions=256).identity == "loopback/model@256-passages"


async def test_vectors_have_unit_length() -> None:
    vector = await remote(Scripted()).query("one")
    np.testing.assert_allclose(vector, [0.6, 0.8, 0], rtol=1e-6)


async def test_memories_go_in_batches() -> None:
    scripted = Scripted()
    texts = [f"text {number}" for number in range(BATCH + 1)]
    assert len(await remote(scripted).documents(texts)) == BATCH + 1
    assert sorted(scripted.calls, key=len) == [texts[BATCH:], texts[:BATCH]]


async def test_one_text_that_is_refused_costs_no_other_its_vector() -> None:
    scripted = Scripted(refuses=lambda text: "7" in text)
    vectors = await remote(scripted).documents([f"text {number}" for number in range(10)])
    assert [vector is None for vector in vectors] == [number == 7 for number in range(10)]


async def test_a_query_is_asked_once_however_often_and_by_how_many_at_once() -> None:
    scripted = Scripted()
    model = remote(scripted)
    await asyncio.gather(model.query("one"), model.query("one"))
    await model.query("one")
    for number in range(RECENT):
        await model.query(f"other {number}")
    before = len(scripted.calls)
    await model.query("one")
    assert (before, len(scripted.calls)) == (1 + RECENT, 2 + RECENT)


async def test_a_vector_that_comes_too_late_is_kept_for_who_asks_next() -> None:
    scripted = Scripted()
    scripted.gate = asyncio.Event()
    model = remote(scripted)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await model.query("one")
    scripted.gate.set()
    assert await model.query("one") is not None
    assert scripted.calls == [["one"]]


async def test_a_model_that_is_down_is_left_alone_for_a_while() -> None:
    scripted = Scripted()
    scripted.down = True
    model = remote(scripted)
    with pytest.raises(ModelCallError):
        await model.query("one")
    assert [await model.query(text) for text in ("two", "three")] == [None, None]
    assert scripted.calls == [["one"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("my key is AKIAIOSFODNN7EXAMPLE", "my key is [REDACTED:", id="a secret"),
        pytest.param("word " * 390 + "my key is AKIAIOSFODNN7EXAMPLE" + "x" * 90, "word " * 390, id="half a secret"),
        pytest.param("字" * 3000, "字" * MAX_CHARACTERS, id="a script without spaces"),
        pytest.param("half \ud83e", "half ?", id="half a surrogate pair"),
        pytest.param("", "-", id="nothing"),
    ],
)
async def test_what_leaves_this_host_is_clean_and_short(text: str, expected: str) -> None:
    scripted = Scripted()
    model = remote(scripted)
    await model.query(text)
    await model.documents([text])
    for [was_sent] in scripted.calls:
        assert was_sent.startswith(expected)
        assert len(was_sent) <= MAX_CHARACTERS
        assert "IOSFODNN" not in was_sent


async def test_an_answer_that_is_no_vector_a_text_is_an_error() -> None:
    class Short(Scripted):
        async def vectors(self, model: str, texts: Sequence[str], **more: Any) -> list[list[float]]:
            return [[1.0], [float("nan")]]

    with pytest.raises(ModelCallError, match="a vector for each text"):
        await remote(Short()).query("one")


# --- through LiteLLM's own proxy ---


@pytest.fixture(scope="module")
def remote_proxy(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """LiteLLM with memory whose vectors come from a model of its own list."""
    session_provider.reset()
    memory = {"embedding": {"model": "embedder", "timeout_ms": 1000}}
    with Proxy(tmp_path_factory.mktemp("remote"), session_provider.url, memory=memory) as proxy:
        with proxy.sidecar() as client:
            Memories(proxy, client).wait_until_ready()
        yield proxy


@pytest.fixture
def kept(remote_proxy: Proxy) -> Iterator[Memories]:
    with remote_proxy.sidecar() as client:
        yield Memories(remote_proxy, client)


def embedded(provider: Provider) -> list[list[str]]:
    return [received.body["input"] for received in provider.take() if received.path == "/v1/embeddings"]


def test_memories_are_found_by_the_vectors_of_a_model_of_the_list(
    kept: Memories, provider: Provider, user: str
) -> None:
    kept.add("My cat is called Pixel.", user=user)
    assert embedded(provider) == [["My cat is called Pixel."]]
    [found] = kept.search("Which animal?", user=user)
    assert embedded(provider) == [["Which animal?"]]
    assert found["why"]["vectors"] == pytest.approx(1, abs=0.01)


def test_a_call_for_a_vector_is_no_call_of_a_client(kept: Memories, remote_proxy: Proxy, provider: Provider) -> None:
    with remote_proxy.sidecar() as client:
        before = client.get("/v1/usage").json()["data"]
        kept.search("Something that nobody has asked", user="somebody")
        kept.add("Something that nobody has said.", user="somebody")
        assert client.get("/v1/usage").json()["data"] == before
    assert len(embedded(provider)) == 1


def test_words_find_what_was_said_while_the_model_was_slow_and_vectors_do_afterwards(
    kept: Memories, provider: Provider, user: str
) -> None:
    gate = threading.Event()
    kept.add("The heron nests behind the mill.", user=user)
    provider.answer = Answer(gate=gate, gate_after=0)
    [found] = kept.search("Where does the heron nest, and since when?", user=user)
    assert (found["why"]["vectors"], found["why"]["words"] > 0) == (0, True)
    gate.set()
    provider.answer = Answer(status=500)
    said = kept.add("The otter sleeps under the bridge.", user=user)
    assert embedded(provider)[-1] == [said["text"]]
    provider.answer = Answer()
    deadline = time.monotonic() + 30
    while [said["text"]] not in embedded(provider):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kept.wait_for(user, lambda found: len(found) == 2)


async def test_check_asks_the_model_and_says_when_the_store_is_of_another(
    remote_proxy: Proxy, provider: Provider, tmp_path: Path
) -> None:
    section = {**remote_proxy.config["litellm_memory"], "data_dir": str(remote_proxy.directory / "memory")}
    found = {}
    for model in ("embedder", "local"):
        config = tmp_path / f"{model}.yaml"
        config.write_text(
            json.dumps({**remote_proxy.config, "litellm_memory": {**section, "embedding": {"model": model}}})
        )
        found[model] = [finding.what for finding in await findings(config, models_for)]
    assert "embedding model openai/text-embedding-3-small-passages answers with 3 dimensions" in found["embedder"]
    foreign = "The memories' vectors come from openai/text-embedding-3-small-passages, so words alone are searched"
    assert [model for model, told in found.items() if any(what.startswith(foreign) for what in told)] == ["local"]
