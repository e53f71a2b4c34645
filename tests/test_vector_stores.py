"""A partition's memories as an OpenAI vector store: of its own keys alone, and through LiteLLM's registry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from bed.engines import opened_engine
from bed.memories import Memories
from bed.provider import Provider
from bed.proxy import Person, Proxy, free_port

from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.identity import partition_of
from litellm_memory.models import Caller
from litellm_memory.settings import Settings
from litellm_memory.setup.config import about_config
from litellm_memory.setup.finding import Finding
from litellm_memory.sidecar import create_app

MEMORY = "My sister Anna plays the cello in Graz."
QUERY = "Which instrument does my sister Anna play?"
CALLERS = {"ada": Caller(user="ada"), "bob": Caller(user="bob"), "master": Caller(master=True)}
ADAS = partition_of(Caller(user="ada"), "user") or ""


async def known(headers: Mapping[str, str]) -> Caller:
    caller = CALLERS.get(headers.get("authorization", "").removeprefix("Bearer "))
    if caller is None:
        raise UnauthorizedError("No such key.")
    return caller


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with opened_engine(tmp_path) as engine, client_of(engine) as client:
        for user in ("default", "eve"):
            added = {"text": f"{MEMORY} ({user})", "user": user}
            (await client.post("/v1/memories", json=added, headers=key("ada"))).raise_for_status()
        yield client


def client_of(engine: Engine) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(engine, authenticate=known), client=("127.0.0.1", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def key(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}"}


async def search(client: httpx.AsyncClient, store: str, name: str, **body: Any) -> httpx.Response:
    asked = {"query": QUERY, **body}
    return await client.post(f"/v1/vector_stores/{store}/search", json=asked, headers=key(name))


async def test_the_memories_of_a_partition_are_found_in_openais_shape(client: httpx.AsyncClient) -> None:
    answer = (await search(client, ADAS, "ada", max_num_results=5, rewrite_query=False)).json()
    [found] = answer.pop("data")
    assert answer == {
        "object": "vector_store.search_results.page",
        "search_query": [QUERY],
        "has_more": False,
        "next_page": None,
    }
    assert found["content"] == [{"type": "text", "text": f"{MEMORY} (default)"}]
    assert (found["filename"], found["attributes"]["kind"]) == (f"{found['file_id']}.txt", "fact")
    assert 0 < found["score"] <= 1


async def test_a_store_may_be_one_users_of_the_partition(client: httpx.AsyncClient) -> None:
    answer = (await search(client, f"{ADAS}:eve", "ada", query=[QUERY, "cello"])).json()
    assert [one["content"][0]["text"] for one in answer["data"]] == [f"{MEMORY} (eve)"]


async def test_only_a_key_of_the_partition_opens_a_store_and_no_operators(client: httpx.AsyncClient) -> None:
    answers = [await search(client, ADAS, name) for name in ("bob", "master", "nobody")]
    assert [answer.status_code for answer in answers] == [404, 403, 401]
    assert all(MEMORY not in answer.text for answer in answers)


async def test_what_scores_below_the_threshold_is_left_out_and_filters_are_refused(client: httpx.AsyncClient) -> None:
    none = await search(client, ADAS, "ada", ranking_options={"score_threshold": 1.0})
    assert none.json()["data"] == []
    refused = await search(client, ADAS, "ada", filters={"type": "eq", "key": "kind", "value": "fact"})
    assert refused.status_code == 422


async def test_of_many_long_questions_the_beginning_is_searched_for(client: httpx.AsyncClient) -> None:
    answer = await search(client, ADAS, "ada", query=[QUERY, *["x" * 8000] * 7])
    assert (answer.status_code, len(answer.json()["data"])) == (200, 1)


async def test_where_a_policy_says_no_a_store_is_no_way_to_recall(tmp_path: Path) -> None:
    policies = {"recall": {"users": {"ada": "off"}}}
    async with opened_engine(tmp_path, policies=policies) as engine, client_of(engine) as client:
        answer = await search(client, ADAS, "ada")
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403,
        "A policy of the settings says `off`: policies.recall.users.ada.",
    )


async def test_while_its_person_has_paused_recall_a_store_gives_a_model_nothing(client: httpx.AsyncClient) -> None:
    statuses = []
    for paused in (True, False):
        await client.put("/v1/me", json={"recall": {"paused": paused}}, headers=key("ada"))
        statuses.append((await search(client, ADAS, "ada")).status_code)
        own = await client.post("/v1/memories/search", json={"query": QUERY}, headers=key("ada"))
        assert MEMORY in own.text  # To look at what is kept of oneself is nobody's recall.
    assert statuses == [403, 200]


def test_check_says_that_whoever_may_use_the_store_in_litellm_reads_it() -> None:
    params = {"vector_store_id": ADAS, "custom_llm_provider": "openai", "api_base": "http://localhost:8764/v1"}
    stores = [{"vector_store_name": "adas", "litellm_params": params}, {"vector_store_name": "other"}]
    found = about_config({"vector_store_registry": stores}, Settings(), {})
    assert [one for one in found if one.what.startswith("vector store")] == [
        Finding(
            "warning",
            "vector store adas: whoever may use it in LiteLLM reads these memories.",
            "Give it to the teams and keys that may, in LiteLLM; docs/security.md",
        )
    ]


@pytest.fixture(scope="module")
def house(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Person]]:
    """A proxy whose registry names Ada's memories."""
    ada, port = Person("ada"), free_port()
    params = {
        "vector_store_id": ADAS,
        "custom_llm_provider": "openai",
        "api_base": f"http://127.0.0.1:{port}/v1",
        "api_key": ada.key,
    }
    config = {"vector_store_registry": [{"vector_store_name": "adas", "litellm_params": params}]}
    directory = tmp_path_factory.mktemp("stores")
    proxy = Proxy(directory, session_provider.url, memory={"sidecar": {"port": port}}, people=(ada,), config=config)
    proxy.sidecar_port = port
    with proxy:
        yield proxy, ada


def test_litellms_registry_searches_a_partition(house: tuple[Proxy, Person]) -> None:
    proxy, ada = house
    with proxy.sidecar(ada.key) as sidecar, proxy.client(ada.key) as client:
        memories = Memories(proxy, sidecar)
        memories.wait_until_ready()
        memories.add(MEMORY, user="default")
        answer = client.post(f"/v1/vector_stores/{ADAS}/search", json={"query": QUERY})
    assert answer.status_code == 200, answer.text
    assert [one["content"][0]["text"] for one in answer.json()["data"]] == [MEMORY]
