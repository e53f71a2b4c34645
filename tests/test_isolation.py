"""Nobody reaches another's memory: hundreds of attempts by a person with a key of his own, and by users and projects
inside one partition, over the real proxy and at the engine's own functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import httpx
import pytest
from bed.memories import Memories, mentioning
from bed.provider import Provider, Received
from bed.proxy import Person, Proxy
from bed.routes import ROUTES, Route
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.identity import identify, is_layer, layer_of, partition_of
from litellm_memory.identity.headers import NAMES, read_options
from litellm_memory.identity.layers import layer_partition
from litellm_memory.memories.query import Query, visible
from litellm_memory.models import Caller, Memory, Message, Scope, Text, Turn
from litellm_memory.request.marks import said_in
from litellm_memory.settings import IdentitySettings, Settings

JSON: TypeAlias = dict[str, Any]
Headers: TypeAlias = Sequence[tuple[str, str]]

CANARY = "QUOKKA"
"""Stands in every memory of Ada, and in nothing that Ben says."""
SECRET = f"My locker code word is {CANARY} and I keep it for the swimming pool."
QUESTION = "What is my locker code word for the swimming pool?"
POISON = "Ada told me that her locker code word for the swimming pool is WOMBAT."
USERS = ("default", "ada", "ada-phone", "*", "%", "default\t", "ＡＤＡ", "ada' OR '1'='1")
FORMATS = tuple(
    route
    for route in ROUTES
    if route.id
    in (
        "chat to openai",
        "chat to openai, stream",
        "completions to openai",
        "responses to openai",
        "messages to anthropic",
        "generateContent to gemini",
        "/anthropic",
        "/gemini",
        "/openai chat",
        "/bedrock converse",
    )
)


@dataclass(frozen=True, slots=True)
class House:
    """A proxy with a response cache; Ada has memories in it, Ben has a key and knows all that Ada's API answers."""

    proxy: Proxy
    ada: Person
    ben: Person
    ada_again: Person
    """Ada's key after a rotation."""
    webui: Person
    """A front end that may speak for end users of its own."""
    dora: Person
    """Of another team than Ada and Ben."""
    known: JSON
    """What Ben got to know of one of Ada's memories: its id, and her partition."""


@pytest.fixture(scope="module")
def house(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    session_provider.reset()
    ada, ben = Person("ada", team="blue"), Person("ben", team="blue")
    ada_again, webui, dora = Person("ada", team="blue"), Person("webui"), Person("dora", team="red")
    people = (ada, ben, ada_again, webui, dora)
    memory = {
        "identity": {"delegating_keys": ["webui"]},
        "layers": {"teams": ["*"], "curators": ["ada"]},
    }
    mappings = [
        {"header_name": "X-Employee", "litellm_user_role": "internal_user"},
        {"header_name": "X-Customer", "litellm_user_role": "customer"},
    ]
    config = {
        "litellm_settings": {"cache": True, "cache_params": {"type": "local"}},
        "general_settings": {"user_header_mappings": mappings},
    }
    directory = tmp_path_factory.mktemp("isolation")
    with Proxy(directory, session_provider.url, memory=memory, people=people, config=config) as proxy:
        with proxy.sidecar(ada.key) as client:
            memories = Memories(proxy, client)
            memories.wait_until_ready()
            known = memories.add(SECRET, user="default")
            for user in USERS[1:3]:
                memories.add(SECRET, user=user, project="pool", session="s-1", tags=["pool"])
        with proxy.client(ada.key) as client:
            for route in FORMATS:
                assert CANARY in asked(client, route, ada.key, [], [QUESTION], session_provider)
        yield House(proxy, ada, ben, ada_again, webui, dora, known)


def asked(
    client: httpx.Client, route: Route, key: str, headers: Headers, conversation: Sequence[str], provider: Provider
) -> str:
    """All that the provider and the client saw of one request."""
    provider.take()
    response = client.post(
        route.path,
        params=dict(route.query),
        headers=[*route.headers(key).items(), *headers],
        json=route.body(conversation),
    )
    return "\n".join([response.text, str(response.headers), *(seen(received) for received in provider.take())])


def seen(received: Received) -> str:
    return f"{received.headers} {received.query} {received.raw.decode('utf-8', 'replace')}"


def claims(known: Mapping[str, Any]) -> list[Headers]:
    """Headers by which somebody could claim to be Ada, to ask for her memories, or to unsettle what reads them."""
    names = (
        *("x-memory-user-id", "x-maia-namespace", "x-openwebui-user-id", "x-litellm-end-user-id"),
        *("x-litellm-customer-id", "x-memory-partition", "x-litellm-user-id", "x-litellm-team-id"),
        *("X-Employee", "X-Customer"),
    )
    users: list[Headers] = [[(name, user)] for name in names for user in ("default", "ada", known["partition"])]
    return [
        *users,
        [],
        [("x-memory-query", SECRET)],
        [("x-ai-mem-query", SECRET), ("x-memory-user-id", "ada")],
        [("x-memory-project", "pool")],
        [("x-ai-mem-project", "pool"), ("x-memory-user-id", "ada-phone")],
        [("x-memory-session-id", "s-1"), ("x-memory-user-id", "ada")],
        [("x-memory-tags", "pool"), ("x-memory-kinds", "fact"), ("x-memory-max", "99")],
        [("x-memory-user-id", "ada"), ("x-memory-user-id", "default")],
        [("X_Memory_User_Id", "ada")],
        [("x-pass-x-memory-user-id", "ada")],
        [("x-codex-turn-metadata", '{"workspaces":{"/":{"associated_remote_urls":{"origin":"pool"}}}}')],
    ]


@pytest.mark.parametrize(
    "share", [pytest.param(2, id="every second"), pytest.param(1, id="all", marks=pytest.mark.long)]
)
def test_no_header_reaches_another_partition_in_any_format(
    house: House, session_provider: Provider, share: int
) -> None:
    """Every header in every second format, every format with every second header; in the long form all with all."""
    leaks = []
    attempts = 0
    with house.proxy.client(house.ben.key) as client:
        for (number, route), (at, headers) in itertools.product(enumerate(FORMATS), enumerate(claims(house.known))):
            if (number + at) % share:
                continue
            attempts += 1
            text = asked(client, route, house.ben.key, headers, [QUESTION], session_provider)
            leaks += [(route.id, headers)] if CANARY in text else []
    assert attempts >= 200
    assert leaks == []


def test_no_field_of_a_body_reaches_another_partition(house: House, session_provider: Provider) -> None:
    fields: list[JSON] = [
        {"user": "ada"},
        {"user": "default"},
        {"metadata": {"user_id": "ada", "user_api_key_user_id": "ada", "user_api_key_team_id": "blue"}},
        {"litellm_metadata": {"user_api_key_user_id": "ada", "user_api_key": house.known["partition"]}},
        {"metadata": {"headers": {"x-memory-user-id": "ada"}}, "user_id": "ada", "team_id": "blue"},
        {"extra_headers": {"x-memory-user-id": "ada"}, "proxy_server_request": {"headers": {"x-memory-user-id": "a"}}},
        {"previous_response_id": "resp_bed"},
        {"conversation": "conv_ada", "prompt_cache_key": "ada", "safety_identifier": "ada"},
    ]  # fmt: skip
    leaks = []
    with house.proxy.client(house.ben.key) as client:
        for route, field in itertools.product((route for route in FORMATS if route.model), fields):
            session_provider.take()
            response = client.post(
                route.path, headers=route.headers(house.ben.key), json={**route.body([QUESTION]), **field}
            )
            text = "\n".join([response.text, *(seen(received) for received in session_provider.take())])
            leaks += [(route.id, field)] if CANARY in text else []
    assert leaks == []


def test_another_persons_conversation_brings_no_frozen_block_and_no_cached_answer(
    house: House, session_provider: Provider
) -> None:
    with house.proxy.client(house.ben.key) as client:
        for route in FORMATS:
            said = [QUESTION] if "completions to" in route.id else [QUESTION, "I am well.", "Tell me again, please."]
            assert CANARY not in asked(client, route, house.ben.key, [], said, session_provider), route.id


def test_the_sidecar_answers_a_foreign_id_as_one_that_does_not_exist(house: House) -> None:
    foreign, partition = house.known["id"], house.known["partition"]
    unknown = "0" * len(foreign)
    with house.proxy.sidecar(house.ben.key) as ben:
        for parameters in ({}, {"partition": partition}, {"partition": "default"}):
            for method in ("GET", "DELETE", "PATCH", "PUT"):
                body = {"json": {"text": POISON}} if method in ("PATCH", "PUT") else {}
                answers = [
                    ben.request(method, f"/v1/memories/{id}", params=parameters, **body) for id in (foreign, unknown)
                ]
                assert {answer.status_code for answer in answers} <= {404, 405}
                assert answers[0].json() == answers[1].json()
    with house.proxy.sidecar(house.ada.key) as ada:
        assert ada.get(f"/v1/memories/{foreign}").json()["text"] == SECRET


def test_the_sidecar_lists_and_finds_nothing_of_another_partition(house: House) -> None:
    partition, foreign = house.known["partition"], house.known["id"]
    attempts: list[tuple[str, str, JSON]] = []
    for user in USERS:
        attempts += [
            ("GET", "/v1/memories", {"params": {"user": user}}),
            ("GET", "/v1/memories", {"params": {"user": user, "partition": partition}}),
            ("GET", "/v1/memories", {"params": {"user": user, "cursor": foreign}}),
            ("POST", "/v1/memories/search", {"json": {"query": SECRET, "user": user}}),
            ("POST", "/v1/memories/search", {"json": {"query": SECRET, "user": user, "project": "pool"}}),
            ("POST", "/v1/memories/search", {"json": {"query": SECRET}, "params": {"partition": partition}}),
            ("GET", "/memory-routing/info", {"headers": {"x-memory-user-id": user.strip()} if user.isascii() else {}}),
        ]
    with house.proxy.sidecar(house.ben.key) as ben:
        for method, path, request in attempts:
            answer = ben.request(method, path, **request)
            assert answer.status_code < 500
            assert CANARY not in answer.text
            assert foreign not in answer.text


def test_nothing_that_one_person_writes_reaches_anothers_prompt(house: House, session_provider: Provider) -> None:
    with house.proxy.sidecar(house.ben.key) as ben:
        for user in USERS:
            ben.post("/v1/memories", json={"text": POISON, "user": user})
            refused = ben.post("/v1/memories", json={"text": POISON}, params={"partition": house.known["partition"]})
            assert refused.status_code == 404
    with house.proxy.client(house.ben.key) as client:
        for headers in claims(house.known):
            asked(client, FORMATS[0], house.ben.key, headers, [POISON], session_provider)
    with house.proxy.client(house.ada.key) as client:
        for route in FORMATS:
            again = f"{QUESTION} I forgot it."
            assert "WOMBAT" not in asked(client, route, house.ada.key, [], [again], session_provider), route.id
    with house.proxy.sidecar(house.ada.key) as client:
        assert mentioning(client.get("/v1/memories", params={"limit": 1000}).json()["data"], "WOMBAT") == []


def test_a_new_key_of_the_same_user_finds_the_same_memories(house: House, session_provider: Provider) -> None:
    again = f"{QUESTION} I lost my old key."
    with house.proxy.client(house.ada_again.key) as client:
        assert CANARY in asked(client, FORMATS[0], house.ada_again.key, [], [again], session_provider)
    with house.proxy.sidecar(house.ada_again.key) as client:
        assert client.get(f"/v1/memories/{house.known['id']}").json()["text"] == SECRET


def test_a_front_end_that_may_delegate_keeps_its_end_users_apart(house: House, session_provider: Provider) -> None:
    webui, chat = house.webui.key, FORMATS[0]
    with house.proxy.sidecar(webui) as client:
        Memories(house.proxy, client).add(SECRET.replace(CANARY, "NUMBAT"), user="u-1")
    with house.proxy.client(webui) as client:
        seen_by = {
            user: asked(client, chat, webui, [("x-openwebui-user-id", user)], [QUESTION], session_provider)
            for user in ("u-1", "u-2", "ada")
        }
    assert [user for user, text in seen_by.items() if "NUMBAT" in text] == ["u-1"]
    assert [user for user, text in seen_by.items() if CANARY in text] == []
    with house.proxy.client(house.ben.key) as client:
        refused = asked(client, chat, house.ben.key, [("x-openwebui-user-id", "u-1")], [QUESTION], session_provider)
    assert "undelegated_end_user" in refused
    assert "NUMBAT" not in refused


def test_what_a_team_shares_reaches_its_people_alone(house: House, session_provider: Provider) -> None:
    shared, question = "The canteen of our blue team serves BANDICOOT stew.", "What does the canteen of our team serve?"
    with house.proxy.sidecar(house.ada.key) as ada, house.proxy.sidecar(house.ben.key) as ben:
        mine = Memories(house.proxy, ada).add(shared, user="default")
        proposal = ada.post("/v1/shared", json={"memory": mine["id"]}).raise_for_status().json()
        decided = {
            name: door.post(f"/v1/review/{proposal['id']}?partition=layer:blue", json={"action": "accept"}).status_code
            for name, door in (("ben", ben), ("ada", ada))
        }
        assert decided == {"ben": 403, "ada": 200}
        ada.delete(f"/v1/memories/{mine['id']}").raise_for_status()
    for route in FORMATS:
        seen_by = {}
        for person in (house.ada, house.ben, house.dora, house.webui):
            with house.proxy.client(person.key) as client:
                seen_by[person.user] = asked(client, route, person.key, [], [question], session_provider)
        given = [user for user, text in seen_by.items() if "known to your team" in text and "BANDICOOT" in text]
        assert given == ["ada", "ben"], route.id
        assert [user for user, text in seen_by.items() if "BANDICOOT" in text] == given
    claimed = [*claims({"partition": proposal["partition"]}), [("x-memory-user-id", "team")]]
    with house.proxy.client(house.dora.key) as client:
        seen = [asked(client, FORMATS[0], house.dora.key, claim, [question], session_provider) for claim in claimed]
    assert [claim for claim, text in zip(claimed, seen, strict=True) if "BANDICOOT" in text] == []


def test_a_header_that_litellm_takes_the_user_from_is_the_claim_of_an_end_user(
    house: House, session_provider: Provider
) -> None:
    """LiteLLM writes the header of ``user_header_mappings`` over the verified user before any hook runs."""
    planted, chat = "My favourite pool toy is the planted BILBY.", FORMATS[0]
    with house.proxy.client(house.ben.key) as client:
        for claim in ([("X-Employee", "ada")], [("x-employee", "webui")], [("X-Customer", "ada")]):
            refused = asked(client, chat, house.ben.key, claim, [planted], session_provider)
            assert "undelegated_end_user" in refused, claim
    for person in (house.ada, house.webui, house.ben):
        with house.proxy.sidecar(person.key) as client:
            assert mentioning(client.get("/v1/memories", params={"limit": 1000}).json()["data"], "BILBY") == []
    with house.proxy.sidecar(house.webui.key) as client:
        Memories(house.proxy, client).add(SECRET.replace(CANARY, "POTOROO"), user="u-7")
    with house.proxy.client(house.webui.key) as client:
        seen_by = {
            claim: asked(client, chat, house.webui.key, [claim], [QUESTION], session_provider)
            for claim in itertools.product(("X-Employee", "X-Customer"), ("u-7", "u-8", "ada"))
        }
    assert [claim for claim, text in seen_by.items() if "POTOROO" in text] == [
        ("X-Employee", "u-7"),
        ("X-Customer", "u-7"),
    ]
    assert [claim for claim, text in seen_by.items() if CANARY in text] == []


@pytest.mark.parametrize(
    "verified",
    [
        pytest.param({"user_id": "ada", "team_id": "blue"}, id="a JWT, which has no key"),
        pytest.param({"api_key": "a" * 64, "token": "a" * 64, "user_id": "ada"}, id="a virtual key"),
        pytest.param({"api_key": "sk-custom", "user_id": "ada", "key_alias": "laptop"}, id="custom authentication"),
    ],
)
def test_one_user_is_one_partition_however_they_were_verified(verified: dict[str, str]) -> None:
    from litellm.proxy._types import UserAPIKeyAuth

    from litellm_memory.hooks.proxy import caller_of

    caller = caller_of(UserAPIKeyAuth(**verified))  # type: ignore[arg-type]  # a test's fields
    assert partition_of(caller, "user") == partition_of(Caller(user="ada"), "user")


def test_every_file_of_ours_is_its_owners_alone(proxy: Proxy, memories: Memories, user: str) -> None:
    memories.add(SECRET, user=user)
    ours = [proxy.directory / "memory", *(proxy.directory / "memory").rglob("*")]
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in ours if path.exists()}
    assert len(modes) > 5
    assert {name: mode for name, mode in modes.items() if mode not in ("0o600", "0o700")} == {}


def test_users_and_projects_of_one_partition_are_told_apart(
    proxy: Proxy, provider: Provider, memories: Memories, user: str
) -> None:
    memories.add(SECRET, user=user)
    memories.add(SECRET.replace(CANARY, "NUMBAT"), user=user, project="atlas")
    chat = FORMATS[0]
    with proxy.client() as client:
        for other in (f"{user} ", f"{user}0", user.upper(), user[:-1] or "p", f"{user}/", "default"):
            if other.strip() != user:
                text = asked(client, chat, proxy.master_key, [("x-memory-user-id", other)], [QUESTION], provider)
                assert CANARY not in text, other
        for project in ("atlas2", "Atlas", "atlas/", "at las", "borealis"):
            named = [("x-memory-user-id", user), ("x-memory-project", project)]
            text = asked(client, chat, proxy.master_key, named, [QUESTION], provider)
            assert CANARY in text
            assert "NUMBAT" not in text, project
        for session in ("s-2", "S"):
            named = [("x-memory-user-id", user), ("x-memory-session-id", session)]
            assert CANARY not in asked(client, chat, proxy.master_key, named, [QUESTION], provider)


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
@pytest.mark.parametrize("spelling", ["{}", "X_{}", "x-pass-{}", "x-pass-X_{}"])
def test_no_memory_header_reaches_a_provider_in_any_spelling(
    proxy: Proxy, provider: Provider, method: str, spelling: str
) -> None:
    names = ("x-memory-user-id", "x-maia-namespace", "x-memory-project", "x-ai-mem-tags", "x-memory-wrap")
    spelt = [spelling.format(name.removeprefix("x-").replace("-", "_") if "_" in spelling else name) for name in names]
    headers = [*((name, "one") for name in spelt), (spelt[0].upper(), "two"), ("x-other", "kept")]
    with proxy.client() as client:
        client.request(method, "/custom/anything", headers=headers, json={"messages": []})
    [received] = provider.wait_for(1)
    assert received.headers["x-other"] == "kept"
    assert [name for name in received.headers if "mem" in name or "maia" in name] == []


# --- at the engine's own functions ---

NAME = st.text(min_size=1, max_size=12)
CALLERS = st.builds(Caller, user=st.none() | NAME, team=st.none() | NAME, key=st.none() | NAME, key_alias=NAME)
BINDINGS = st.sampled_from(["user", "team", "key"])
CLAIMS = st.dictionaries(
    st.sampled_from([*sorted(NAMES), "x-openwebui-user-id", "x-litellm-end-user-id", "user-agent", "session-id"]), NAME
)


@given(CALLERS, BINDINGS, CLAIMS, NAME)
def test_the_partition_is_the_verified_keys_whatever_a_client_writes(
    caller: Caller, binding: Any, headers: dict[str, str], said: str
) -> None:
    settings = IdentitySettings(partition=binding, delegating_keys=("x",))
    turn = Turn((Message("system", (Text(said, ("system",)),)),), user=said, session=said)
    scope = identify(caller, headers, read_options(headers, settings), turn, settings)
    if isinstance(scope, Scope):
        assert scope.partition == partition_of(caller, binding)
        assert scope.partition != "default"


@given(CALLERS, st.booleans(), NAME)
def test_a_layer_is_the_verified_teams_and_no_partition_of_a_key(caller: Caller, master: bool, said: str) -> None:
    settings = Settings(layers={"teams": ["*"]})
    caller = replace(caller, master=master)
    layer = layer_of(caller, settings)
    assert (layer.team if layer else None) == (None if caller.master else caller.team or None)
    if layer is not None:
        assert is_layer(layer.scope.partition)
        assert layer.scope.partition == layer_partition(caller.team or "")
    headers = {"x-memory-user-id": said, "x-memory-project": said}
    turn = Turn((Message("person", (Text(said, ("messages", 0)),)),), user=said)
    scope = identify(caller, headers, read_options(headers, settings.identity), turn, settings.identity)
    assert not isinstance(scope, Scope) or not is_layer(scope.partition)


SCOPES = st.builds(
    Scope, NAME, NAME, project=st.none() | NAME, session=st.none() | NAME, only_session=st.booleans()
)  # fmt: skip


@given(SCOPES, SCOPES, st.booleans())
def test_a_hit_is_seen_only_in_its_own_scope(mine: Scope, theirs: Scope, strict: bool) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    memory = Memory(
        "1", theirs.partition, theirs.user, "x", "fact", now, project=theirs.project, session=theirs.session
    )
    query = Query("x", mine, 1, 0.0, strict_projects=strict)
    if visible(memory, query, now):
        assert (mine.partition, mine.user) == (theirs.partition, theirs.user)
        assert mine.project is None or theirs.project in (None, mine.project)
        assert not mine.only_session or mine.session == theirs.session


@given(SCOPES, SCOPES, NAME)
def test_the_marks_of_two_scopes_never_meet(one: Scope, other: Scope, words: str) -> None:
    turn = Turn((Message("person", (Text(f"I said {words}", ("messages", 0, "content")),)),))
    marks = [[said.mark for said in said_in(turn, scope, b"key")] for scope in (one, other)]
    told_apart = (one.namespace, one.project, one.session, one.only_session) != (
        *(other.namespace, other.project, other.session, other.only_session),
    )
    assert marks[0] != marks[1] or not marks[0] or not told_apart
