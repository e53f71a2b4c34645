"""Every route of the sidecar with every sort of key: only the person and the operator read or change anything."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine

from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.identity import partition_of
from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.sidecar import create_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

BENCH = Path(__file__).resolve().parents[1] / "scripts" / "bench"
SECRET = "My locker in Lisbon opens with quokka-77."
CALLERS = {
    "sk-ada": Caller(user="ada", team="red", key="a" * 64),
    "sk-colleague": Caller(user="bob", team="red", key="b" * 64),
    "sk-end-user": Caller(user="ada-2", team="blue", key="c" * 64, key_alias="ada"),
    "sk-operator": Caller(master=True),
}
REFUSED: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "wrong": {"authorization": "Bearer sk-wrong"},
    "expired": {"authorization": "Bearer sk-expired"},
    "blank": {"authorization": "Bearer "},
    "by a cookie": {"cookie": "litellm_memory_session=sk-ada"},
    "of another scheme": {"authorization": "Basic c2stYWRh"},
}
OPEN = {"GET /health", "GET /ready", "GET /", "GET /api/session"}
"""What anybody may ask: whether it is there, and the page with which to sign in."""
ON_THIS_HOST = {"GET /memory-routing/info", "GET /memory-routing/rules"}
"""What whoever has no key may ask on the sidecar's own host."""


async def authenticate(headers: Mapping[str, str]) -> Caller:
    try:
        return CALLERS[headers.get("authorization", "").removeprefix("Bearer ")]
    except KeyError:
        raise UnauthorizedError("LiteLLM does not accept this key.") from None


@pytest.fixture(scope="module")
def requests() -> Iterator[Any]:
    """The benchmark's table of a request for each route."""
    sys.path.insert(0, str(BENCH))
    yield import_module("flood_requests")
    sys.path.remove(str(BENCH))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    data_dir = tmp_path_factory.mktemp("data")
    limits = {"requests_per_minute": 100_000}
    async with opened_engine(data_dir, sidecar=limits, embedding={"model_dir": data_dir / "nowhere"}) as opened:
        yield opened


@pytest.fixture
def app(engine: Engine) -> Any:
    """A sidecar that nobody has tried keys at yet: who does is locked out with all new keys of the same address."""
    return with_page(create_app(engine, authenticate=authenticate))


def client(app: Any, headers: Mapping[str, str]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers, timeout=100)


@pytest_asyncio.fixture(loop_scope="module")
async def memory(app: Any) -> dict[str, Any]:
    """A memory of Ada's."""
    async with client(app, {"authorization": "Bearer sk-ada"}) as ada:
        answer = await ada.post("/v1/memories", json={"text": SECRET, "user": "default"})
        assert answer.status_code == 201
        return dict(answer.json())


async def asked_all(
    app: Any, engine: Engine, requests: Any, memory: Mapping[str, Any], headers: Mapping[str, str]
) -> AsyncIterator[tuple[str, httpx.Response]]:
    """The answer to each route's request, which names Ada's memory and partition wherever it names one."""
    store = partition_of(CALLERS["sk-ada"], engine.settings.identity.partition) or ""
    async with client(app, headers) as someone:
        for number, route in enumerate(requests.ROUTES):
            asked = requests.FLOODS[route].numbered(number, store)
            url, content = (text.replace(requests.NOWHERE, memory["id"]) for text in (asked.url, asked.content))
            told = {"content-type": asked.media_type, "accept": "application/json, text/event-stream"}
            answer = await someone.request(route.split()[0], url, content=content, headers=told)
            yield route, answer


async def test_the_table_has_every_route(app: Any, requests: Any) -> None:
    described = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    assert described - requests.FLOODS.keys() == set()


@pytest.mark.parametrize("key", REFUSED)
async def test_without_a_valid_key_every_route_refuses(
    app: Any, engine: Engine, requests: Any, memory: dict[str, Any], key: str
) -> None:
    answers = [pair async for pair in asked_all(app, engine, requests, memory, REFUSED[key])]
    # After so many guesses an address has to wait.
    refused = {route for route, answer in answers if answer.status_code in (401, 429)}
    given = {route for route, _ in answers} - refused
    assert given <= OPEN | (set() if "authorization" in REFUSED[key] else ON_THIS_HOST)
    assert not any("quokka" in answer.text for _, answer in answers)


@pytest.mark.parametrize("key", ["sk-colleague", "sk-end-user"])
async def test_no_other_key_is_shown_a_word_of_hers_or_changes_anything(
    app: Any, engine: Engine, requests: Any, memory: dict[str, Any], key: str
) -> None:
    headers = {"authorization": f"Bearer {key}"}
    answers = [pair async for pair in asked_all(app, engine, requests, memory, headers)]
    assert {route: answer.text for route, answer in answers if "quokka" in answer.text} == {}
    assert {route: answer.status_code for route, answer in answers if answer.status_code >= 500} == {}
    for route, answer in answers:
        if requests.NOWHERE in requests.FLOODS[route].url:
            assert answer.status_code in (403, 404), (route, answer.text)
    async with client(app, {"authorization": "Bearer sk-ada"}) as ada:
        assert (await ada.get(f"/v1/memories/{memory['id']}")).json() == memory


async def test_the_person_and_the_operator_read_it(app: Any, engine: Engine, memory: dict[str, Any]) -> None:
    async with client(app, {"authorization": "Bearer sk-ada"}) as ada:
        assert SECRET in json.dumps((await ada.get("/v1/memories")).json())
    partition = partition_of(CALLERS["sk-ada"], engine.settings.identity.partition)
    async with client(app, {"authorization": "Bearer sk-operator"}) as operator:
        assert SECRET in json.dumps((await operator.get("/v1/memories", params={"partition": partition})).json())
