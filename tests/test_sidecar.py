"""The sidecar's API: memories, namespaces, export and import, each in the caller's partition and no other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine

from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.gate.sizes import LARGEST, LARGEST_BODY
from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.sidecar import create_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = {"sk-master": Caller(master=True), "sk-ada": Caller(user="ada"), "sk-eve": Caller(user="eve")}
NAMES = count()


async def authenticate(headers: Mapping[str, str]) -> Caller:
    try:
        return CALLERS[headers.get("authorization", "").removeprefix("Bearer ")]
    except KeyError:
        raise UnauthorizedError("LiteLLM does not accept this key.") from None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        yield opened


def client_of(engine: Engine, key: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    return httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers={"authorization": f"Bearer {key}"}
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, "sk-ada") as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def eve(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, "sk-eve") as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def master(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, "sk-master") as client:
        yield client


@pytest.fixture
def user() -> str:
    return f"user-{next(NAMES)}"


async def add(client: httpx.AsyncClient, text: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/memories", json={"text": text, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def of(client: httpx.AsyncClient, user: str) -> list[dict[str, Any]]:
    return list((await client.get(f"/v1/namespaces/{user}/memories")).json()["data"])


# --- correcting ---


async def test_a_correction_changes_what_it_names_and_keeps_where_the_memory_came_from(
    ada: httpx.AsyncClient, user: str
) -> None:
    before = await add(ada, "The staging database is heron-42.", user=user, tags=["ops"], project="shop")
    changes = {"text": "The staging database is owl-7.", "pinned": True, "project": None}
    answer = await ada.patch(f"/v1/memories/{before['id']}", json=changes)
    assert answer.status_code == 200
    after = answer.json()
    assert after == {**before, **changes, "tokens": after["tokens"]}
    assert (await ada.get(f"/v1/memories/{before['id']}")).json() == after


async def test_a_corrected_memory_is_found_by_its_new_words(ada: httpx.AsyncClient, user: str) -> None:
    memory = await add(ada, "The staging database is heron-42.", user=user)
    await ada.patch(f"/v1/memories/{memory['id']}", json={"text": "Invoices are printed on yellow paper."})
    [found] = (
        await ada.post("/v1/memories/search", json={"query": "yellow paper invoices", "user": user, "limit": 1})
    ).json()["results"]
    assert (found["memory"]["id"], found["score"] > 0.3) == (memory["id"], True)


async def test_what_was_corrected_can_be_said_anew(ada: httpx.AsyncClient, user: str) -> None:
    memory = await add(ada, "Releases go out on Tuesdays.", user=user)
    await ada.patch(f"/v1/memories/{memory['id']}", json={"text": "Releases go out on Fridays."})
    assert (await add(ada, "Releases go out on Tuesdays.", user=user))["id"] != memory["id"]
    assert (await add(ada, "Releases go out on Fridays.", user=user))["id"] == memory["id"]


async def test_a_memory_that_is_no_longer_valid_is_not_found(ada: httpx.AsyncClient, user: str) -> None:
    memory = await add(ada, "The office is in Lisbon.", user=user)
    await ada.patch(f"/v1/memories/{memory['id']}", json={"valid_until": "2020-01-01T00:00:00Z"})
    search = await ada.post("/v1/memories/search", json={"query": "office in Lisbon", "user": user})
    assert search.json() == {"results": []}


@pytest.mark.parametrize(
    "patch",
    [
        {"text": ""},
        {"text": None},
        {"kind": "guess"},
        {"tags": None},
        {"tags": ["x" * 250] * 50},
        {"confidence": 2},
        {"user": "somebody"},
        {"id": "0" * 40},
        {"pinned": None},
    ],
    ids=lambda patch: str(patch)[:30],
)
async def test_a_correction_that_cannot_be_is_refused_and_changes_nothing(
    ada: httpx.AsyncClient, user: str, patch: dict[str, Any]
) -> None:
    memory = await add(ada, "The office is in Lisbon.", user=user)
    answer = await ada.patch(f"/v1/memories/{memory['id']}", json=patch)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert await of(ada, user) == [memory]


async def test_a_secret_in_a_correction_is_not_kept(ada: httpx.AsyncClient, user: str) -> None:
    memory = await add(ada, "The key is in the vault.", user=user)
    secret = "AKIA" + "IOSFODNN7EXAMPLF"
    after = (await ada.patch(f"/v1/memories/{memory['id']}", json={"text": f"The key is {secret}."})).json()
    assert secret not in after["text"]


# --- partitions ---


async def test_a_foreign_memory_cannot_be_read_corrected_or_forgotten(
    ada: httpx.AsyncClient, eve: httpx.AsyncClient, user: str
) -> None:
    memory = await add(ada, "The office is in Lisbon.", user=user)
    path = f"/v1/memories/{memory['id']}"
    answers = [await eve.get(path), await eve.patch(path, json={"text": "Mine now."}), await eve.delete(path)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert await of(ada, user) == [memory]
    assert await of(eve, user) == []


async def test_the_master_key_names_the_partition_that_it_writes_in(
    ada: httpx.AsyncClient, master: httpx.AsyncClient, user: str
) -> None:
    memory = await add(ada, "The office is in Lisbon.", user=user)
    nameless = [
        await master.post("/v1/memories", json={"text": "Hello there."}),
        await master.post("/v1/import", content='{"text": "Hello there."}'),
        await master.patch(f"/v1/memories/{memory['id']}", json={"pinned": True}),
        await master.delete(f"/v1/memories/{memory['id']}"),
    ]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in nameless} == {(400, "bad_request")}
    named = {"partition": memory["partition"]}
    assert (await master.delete(f"/v1/memories/{memory['id']}", params=named)).status_code == 204
    assert await of(ada, user) == []


# --- namespaces ---


async def test_namespaces_say_who_has_how_much(ada: httpx.AsyncClient, eve: httpx.AsyncClient, user: str) -> None:
    memory = await add(ada, "The office is in Lisbon.", user=user, project="b")
    await add(ada, "The lease ends in March.", user=user, project="a")
    expected = {
        "partition": memory["partition"], "user": user, "memories": 2, "projects": ["a", "b"], "last_used": None,
    }  # fmt: skip
    assert (await ada.get(f"/v1/namespaces/{user}")).json() == expected
    assert expected in (await ada.get("/v1/namespaces", params={"limit": 1000})).json()["data"]
    assert (await eve.get(f"/v1/namespaces/{user}")).status_code == 404
    assert expected not in (await eve.get("/v1/namespaces", params={"limit": 1000})).json()["data"]


async def test_the_pages_of_a_list_are_the_whole_list(ada: httpx.AsyncClient, user: str) -> None:
    for number in range(5):
        await add(ada, f"Room number {number} is painted green.", user=user)
    whole = await of(ada, user)
    paged: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await ada.get(f"/v1/namespaces/{user}/memories", params={"limit": "2", **cursor})).json()
        paged += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert (len(whole), paged) == (5, whole)


# --- export and import ---


async def exported(client: httpx.AsyncClient, user: str) -> str:
    answer = await client.get("/v1/export", params={"user": user})
    assert answer.headers["content-type"] == "application/x-ndjson"
    return answer.text


async def test_what_was_exported_comes_back_as_it_was(ada: httpx.AsyncClient, user: str) -> None:
    await add(ada, "The office is in Lisbon.", user=user, tags=["place"], project="shop", kind="decision")
    gone = await add(ada, "The lease ends in March.", user=user, pinned=True)
    before, text = await of(ada, user), await exported(ada, user)
    await ada.delete(f"/v1/memories/{gone['id']}")
    answer = await ada.post("/v1/import", content=text)
    assert answer.json() == {"imported": 1, "known": 1, "refused": 0, "errors": [], "waiting": 0, "memories": []}
    assert await of(ada, user) == before
    assert (await ada.post("/v1/import", content=text)).json()["imported"] == 0


async def test_another_partitions_export_gets_ids_of_its_own_and_no_second_ones(
    ada: httpx.AsyncClient, eve: httpx.AsyncClient, user: str
) -> None:
    await add(ada, "The office is in Lisbon.", user=user)
    before, text = await of(ada, user), await exported(ada, user)
    for _ in range(2):
        await eve.post("/v1/import", content=text.replace("Lisbon", "Porto"))
    [hers] = await of(eve, user)
    assert (hers["text"], hers["id"] == before[0]["id"]) == ("The office is in Porto.", False)
    assert await of(ada, user) == before


async def test_a_secret_that_was_kept_before_its_rule_is_not_shown(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLF"
    memory = await add(ada, "The key is in the vault.", user=user)
    await engine.memories.correct(
        memory["partition"], memory["id"], lambda kept: replace(kept, text=f"The key is {secret}.")
    )
    assert secret not in await exported(ada, user)
    assert secret not in json.dumps(await of(ada, user))


async def test_an_import_needs_nothing_but_texts(ada: httpx.AsyncClient, user: str) -> None:
    lines = '{"text": "The office is in Lisbon."}\n\n{"text": "The lease ends in March.", "id": "mem0:17"}'
    for imported in (2, 0):
        answer = await ada.post("/v1/import", params={"user": user}, content=lines)
        assert answer.json() == {
            "imported": imported,
            "known": 2 - imported,
            "refused": 0,
            "errors": [],
            "waiting": 0,
            "memories": [],
        }
    assert {(m["text"], m["kind"], m["origin"]["role"]) for m in await of(ada, user)} == {
        ("The office is in Lisbon.", "fact", "import"),
        ("The lease ends in March.", "fact", "import"),
    }


async def test_lines_that_cannot_be_read_are_named_and_the_others_are_kept(ada: httpx.AsyncClient, user: str) -> None:
    lines = ['{"text": "The office is in Lisbon."}', "nonsense", '{"text": ""}', '{"text": "x", "kind": "guess"}', "[]"]
    answer = (await ada.post("/v1/import", params={"user": user}, content="\n".join(lines))).json()
    assert (answer["imported"], answer["refused"]) == (1, 4)
    assert [error["line"] for error in answer["errors"]] == [2, 3, 4, 5]


async def test_an_import_may_be_larger_than_any_other_body(ada: httpx.AsyncClient, user: str) -> None:
    async def lines() -> AsyncIterator[bytes]:
        row = json.dumps({"id": "same", "text": "The office is in Lisbon. " * 300}) + "\n"
        for _ in range(20):
            yield (row * (LARGEST["/v1/preview"] // len(row) // 18)).encode()

    answer = await ada.post("/v1/import", params={"user": user}, content=lines())
    assert (answer.status_code, answer.json()["imported"], len(await of(ada, user))) == (200, 1, 1)


# --- errors ---


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/memories", b'{"text": "' + b"x" * LARGEST_BODY + b'"}'), ("/v1/import", b"x" * 2**20)],
    ids=["body", "line"],
)
async def test_what_is_too_large_is_refused_as_such(ada: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await ada.post(path, content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_every_route_says_what_it_does(engine: Engine, tmp_path: Path) -> None:
    described = with_page(create_app(engine, authenticate=authenticate)).openapi()["paths"]
    nameless = [
        f"{method} {path}"
        for path, methods in described.items()
        for method, operation in methods.items()
        if not operation.get("summary") or not operation.get("tags")
    ]
    assert nameless == []
