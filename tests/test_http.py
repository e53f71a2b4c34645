"""As two people with keys of their own see it over HTTP: the sidecar, the routing page, recall, the response cache."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import pytest
from bed.answers import Answer
from bed.memories import Memories
from bed.provider import Provider
from bed.proxy import Person, Proxy, free_port

JSON: TypeAlias = dict[str, Any]

MEMORY = "My sister Anna plays the cello in Graz."
QUESTION = "Which instrument does my sister Anna play?"
OPERATOR = "sk-operator-of-the-sidecar"
CACHE = {"litellm_settings": {"cache": True, "cache_params": {"type": "local"}}}

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class House:
    """A proxy with a response cache, two people and who runs it; all have a key for LiteLLM and the sidecar."""

    proxy: Proxy
    alice: Person
    bob: Person
    operator: Person


@pytest.fixture(scope="module")
def house(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    session_provider.reset()
    alice, bob, operator = Person("alice"), Person("bob"), Person("operator", role="proxy_admin")
    port = free_port()
    plugin = {"name": "memory", "display_name": "Memory", "url": f"http://127.0.0.1:{port}", "plugin_key": OPERATOR}
    house = Proxy(
        tmp_path_factory.mktemp("http"),
        session_provider.url,
        memory={"sidecar": {"port": port, "api_key": OPERATOR}},
        people=(alice, bob, operator),
        config={**CACHE, "general_settings": {"plugins": [plugin]}},
    )
    house.sidecar_port = port
    with house as proxy:
        with proxy.sidecar(alice.key) as client:
            Memories(proxy, client).wait_until_ready()
        yield House(proxy, alice, bob, operator)


@pytest.fixture(scope="module")
def alice(house: House) -> Iterator[httpx.Client]:
    """Alice at the sidecar."""
    with house.proxy.sidecar(house.alice.key) as client:
        yield client


@pytest.fixture(scope="module")
def bob(house: House) -> Iterator[httpx.Client]:
    """Bob at the sidecar."""
    with house.proxy.sidecar(house.bob.key) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A user whom no other test knows, in the partition of whoever names it."""
    return f"user-{next(_numbers)}"


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which says something and nothing else."""
    body = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message"}
    assert body["error"]["message"]
    return answer.status_code, body["error"]["code"]


# --- memories ---


def test_a_memory_is_added_read_found_and_forgotten(alice: httpx.Client, name: str) -> None:
    added = alice.post("/v1/memories", json={"text": MEMORY, "user": name, "kind": "fact", "tags": ["family"]})
    memory = added.json()
    assert added.status_code == 201
    assert {key: memory[key] for key in ("text", "user", "kind", "tags", "superseded_by", "pinned")} == {
        "text": MEMORY,
        "user": name,
        "kind": "fact",
        "tags": ["family"],
        "superseded_by": None,
        "pinned": False,
    }
    assert alice.get(f"/v1/memories/{memory['id']}").json() == memory
    [found] = alice.post("/v1/memories/search", json={"query": QUESTION, "user": name}).json()["results"]
    assert found.keys() == {"memory", "score", "why"}
    assert found["memory"] == memory
    forgotten = alice.delete(f"/v1/memories/{memory['id']}")
    assert (forgotten.status_code, forgotten.content) == (204, b"")
    assert error_of(alice.get(f"/v1/memories/{memory['id']}")) == (404, "not_found")
    assert alice.post("/v1/memories/search", json={"query": QUESTION, "user": name}).json() == {"results": []}
    assert alice.get("/v1/memories", params={"user": name}).json() == {"data": [], "next_cursor": None}


def test_a_list_comes_in_pages_newest_first(alice: httpx.Client, name: str) -> None:
    texts = [f"Shelf {number} holds the maps of region {number}." for number in range(5)]
    for text in texts:
        alice.post("/v1/memories", json={"text": text, "user": name}).raise_for_status()
    pages: list[list[str]] = []
    asked: JSON = {"user": name, "limit": 2}
    while True:
        page = alice.get("/v1/memories", params=asked).raise_for_status().json()
        pages.append([memory["text"] for memory in page["data"]])
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    newest_first = texts[::-1]
    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/v1/memories", {}, id="no text"),
        pytest.param("POST", "/v1/memories", {"text": ""}, id="an empty text"),
        pytest.param("POST", "/v1/memories", {"text": "x", "colour": "red"}, id="an unknown key"),
        pytest.param("POST", "/v1/memories", {"text": "x", "kind": "rumour"}, id="an unknown kind"),
        pytest.param("POST", "/v1/memories", ["x"], id="a list"),
        pytest.param("POST", "/v1/memories/search", {"query": "x", "limit": 0}, id="a limit of nothing"),
        pytest.param("GET", "/v1/memories?limit=many", None, id="a limit that is no number"),
    ],
)
def test_what_cannot_be_read_is_422(alice: httpx.Client, method: str, path: str, body: Any) -> None:
    assert error_of(alice.request(method, path, json=body)) == (422, "invalid")


# --- who may ---

ROUTES = (
    ("GET", "/v1/memories"),
    ("POST", "/v1/memories"),
    ("POST", "/v1/memories/search"),
    ("GET", "/v1/memories/some-id"),
    ("DELETE", "/v1/memories/some-id"),
)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-wrong"}, {"x-api-key": "sk-wrong"}], ids=str)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_key_that_litellm_knows_there_is_nothing(
    house: House, method: str, path: str, headers: dict[str, str]
) -> None:
    with httpx.Client(base_url=house.proxy.sidecar_url, trust_env=False, verify=False, headers=headers) as nobody:
        assert error_of(nobody.request(method, path)) == (401, "unauthorized")


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"])
def test_a_key_may_come_in_every_header_that_litellm_reads(house: House, header: str) -> None:
    with httpx.Client(base_url=house.proxy.sidecar_url, trust_env=False, verify=False) as client:
        assert client.get("/v1/memories", headers={header: house.alice.key}).status_code == 200


def test_one_person_never_sees_anothers_memories(house: House, alice: httpx.Client, bob: httpx.Client) -> None:
    """Also not when both name the same user: it is another one in each partition."""
    secret = alice.post("/v1/memories", json={"text": "My sister Anna hides the key under the fern.", "user": "anna"})
    path = f"/v1/memories/{secret.json()['id']}"
    partition = secret.json()["partition"]
    assert [memory["text"] for memory in bob.get("/v1/memories", params={"user": "anna"}).json()["data"]] == []
    assert "fern" not in bob.get("/v1/memories").text
    assert bob.post("/v1/memories/search", json={"query": "key fern Anna", "user": "anna"}).json() == {"results": []}
    assert error_of(bob.get(path)) == (404, "not_found")
    assert error_of(bob.delete(path)) == (404, "not_found")
    assert error_of(bob.get("/v1/memories", params={"partition": partition})) == (404, "not_found")
    assert alice.get(path).json() == secret.json()


def test_one_person_never_recalls_anothers_memories(house: House, alice: httpx.Client, provider: Provider) -> None:
    alice.post("/v1/memories", json={"text": "My brother Emil sails a red boat.", "user": "emil"}).raise_for_status()
    statuses = {}
    for person in (house.bob, house.alice):
        answer = ask(house.proxy, person.key, "Which boat does my brother Emil sail?", user="emil")
        statuses[person.user] = answer.headers["x-memory-status"]
    assert statuses == {"bob": "empty", "alice": "injected"}
    assert [b"red boat" in received.raw for received in posts(provider)] == [False, True]


def ask(proxy: Proxy, key: str, words: str, *, user: str, **headers: str) -> httpx.Response:
    body = {"model": "gpt", "messages": [{"role": "user", "content": words}]}
    with proxy.client(key) as client:
        sent = {"x-memory-user-id": user, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return client.post("/v1/chat/completions", json=body, headers=sent).raise_for_status()


def posts(provider: Provider) -> list[Any]:
    return [received for received in provider.take() if received.method == "POST"]


# --- what is open, and to whom ---


def test_health_and_ready_need_no_key(house: House) -> None:
    with httpx.Client(base_url=house.proxy.sidecar_url, trust_env=False, verify=False) as nobody:
        health, ready = nobody.get("/health"), nobody.get("/ready")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert ready.json()["problems"].keys() <= {"model"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"])
def test_a_page_of_another_host_is_refused(house: House, host: str) -> None:
    with house.proxy.sidecar(house.alice.key) as client:
        assert client.get("/v1/memories", headers={"host": host}).status_code == 400


def test_unknown_routes_and_methods_are_errors_of_the_same_shape(alice: httpx.Client) -> None:
    assert error_of(alice.get("/v1/nothing")) == (404, "not_found")
    assert error_of(alice.put("/v1/memories")) == (405, "method_not_allowed")


def test_the_routing_page_tells_on_both_ports_how_a_request_would_go(house: House) -> None:
    key = house.alice.key
    asked = {"x-memory-user-id": "anna", "x-memory-project": "apollo", "user-agent": "claude-cli/2.0.1 (external, cli)"}
    with house.proxy.sidecar(key) as sidecar, house.proxy.client(key) as litellm:
        told = [client.get("/memory-routing/info", headers=asked) for client in (sidecar, litellm)]
        rules = [client.get("/memory-routing/rules") for client in (sidecar, litellm)]
    assert [answer.status_code for answer in (*told, *rules)] == [200] * 4
    assert told[0].json() == told[1].json()
    assert rules[0].json() == rules[1].json()
    assert {name: told[0].json()[name] for name in ("user_id", "project", "custom_header_present", "client")} == {
        "user_id": "anna",
        "project": "apollo",
        "custom_header_present": True,
        "client": "claude-code",
    }
    assert [key in answer.text for answer in (*told, *rules)] == [False] * 4


def test_the_routing_page_wants_a_key_but_on_loopback_at_the_sidecar(house: House) -> None:
    def asked(url: str, headers: dict[str, str]) -> httpx.Response:
        with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
            return client.get("/memory-routing/info", headers=headers)

    open_to_all = asked(house.proxy.sidecar_url, {})
    assert (open_to_all.status_code, open_to_all.json()["partition"]) == (200, None)
    for url, headers in (
        (house.proxy.sidecar_url, {"authorization": "Bearer sk-wrong"}),
        (house.proxy.url, {"authorization": "Bearer sk-wrong"}),
        (house.proxy.url, {}),
    ):
        refused = asked(url, headers)
        assert refused.status_code == 401
        assert "sk-wrong" not in refused.text


# --- LiteLLM's response cache ---


def test_an_answer_made_with_memory_serves_nobody_else(house: House, alice: httpx.Client, provider: Provider) -> None:
    """The same question: without memory it fills the cache, with memory it neither reads nor writes it."""
    alice.post("/v1/memories", json={"text": MEMORY, "user": "with"}).raise_for_status()
    key = house.alice.key
    provider.script(*(Answer(text=text) for text in ("First.", "Second.", "Third.")))
    remembering = ask(house.proxy, key, QUESTION, user="with")
    plain = [ask(house.proxy, key, QUESTION, user=f"without {number}") for number in range(2)]
    again = ask(house.proxy, key, QUESTION, user="with")
    assert [answer.headers["x-memory-status"] for answer in (remembering, *plain, again)] == [
        "injected",
        "empty",
        "empty",
        "injected",
    ]
    assert [text_of(answer) for answer in (remembering, *plain, again)] == ["First.", "Second.", "Second.", "Third."]
    assert [MEMORY.encode() in received.raw for received in posts(provider)] == [True, False, True]


def text_of(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


# --- LiteLLM's own pages for its operators ---


def test_the_sidecar_is_a_plugin_of_litellms_pages(house: House, alice: httpx.Client, name: str) -> None:
    """It is listed without its key; through LiteLLM an operator asks it with the operator's rights, and nobody else."""
    kept = alice.post("/v1/memories", json={"text": MEMORY, "user": name}).raise_for_status().json()
    listed = {"name": "memory", "display_name": "Memory", "url": house.proxy.sidecar_url}
    path = f"/plugin-proxy/memory/v1/memories/{kept['id']}"
    with house.proxy.client(house.operator.key) as operator, house.proxy.client(house.alice.key) as person:
        assert operator.get("/api/plugins").json() == [listed]
        answer = operator.get(path, params={"partition": kept["partition"]})
        assert (answer.status_code, answer.json()) == (200, kept)
        assert person.get(path).status_code == 403
