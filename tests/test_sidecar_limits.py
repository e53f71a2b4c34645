"""How often, how large and from where the sidecar may be asked; and what it says when something breaks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from fastapi import HTTPException

from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.models import Caller
from litellm_memory.sidecar import create_app
from litellm_memory.sidecar.rates import REFUSALS, Rates

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "my locker code is QUOKKA-77"


async def authenticate(headers: Mapping[str, str]) -> Caller:
    if headers.get("authorization", "") != "Bearer sk-ada":
        raise UnauthorizedError("LiteLLM does not accept this key.")
    return Caller(user="ada")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data"), sidecar={"requests_per_minute": 60}) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def ada(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    key = {"authorization": "Bearer sk-ada"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=key) as client:
        yield client


# --- how often ---


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def outcome(rates: Rates, key: str) -> int | str:
    """200, 401, or the seconds to wait."""
    try:
        await rates({"authorization": f"Bearer {key}"})
    except UnauthorizedError:
        return 401
    except HTTPException as refused:
        return (refused.headers or {}).get("retry-after", refused.status_code)
    return 200


async def test_a_key_that_asks_too_often_is_told_how_long_to_wait() -> None:
    clock = Clock()
    rates = Rates(authenticate, lambda: 6, clock)
    assert [await outcome(rates, "sk-ada") for _ in range(8)] == [200] * 6 + ["10", "10"]
    clock.now += 9
    assert await outcome(rates, "sk-ada") == "1"
    clock.now += 1
    assert [await outcome(rates, "sk-ada") for _ in range(2)] == [200, "10"]


async def test_who_tries_keys_out_locks_nobody_else_out() -> None:
    clock = Clock()
    rates = Rates(authenticate, lambda: 6, clock)
    assert await outcome(rates, "sk-ada") == 200
    tried = [await outcome(rates, f"sk-{number}") for number in range(REFUSALS + 20)]
    assert tried == [401] * REFUSALS + ["1"] * 20
    assert await outcome(rates, "sk-ada") == 200
    clock.now += 60
    assert await outcome(rates, "sk-another") == 401


async def test_too_many_requests_answer_as_all_errors_do(ada: httpx.AsyncClient) -> None:
    answers = [await ada.get("/v1/namespaces") for _ in range(62)]
    assert {answer.status_code for answer in answers[:60]} == {200}
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["code"] == "too_many_requests"
    assert answers[-1].headers["retry-after"] == "1"
    assert (await ada.get("/health")).status_code == 200


# --- from where ---


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "127.0.0.1:8764"}, 200),
        ({"host": "[::1]:8764"}, 200),
        ({"host": "LOCALHOST:8764"}, 200),
        ({"host": "evil.example"}, 400),
        ({"host": "localhost.evil.example"}, 400),
        ({"host": "127.0.0.1.nip.example:8764"}, 400),
        ({"host": "localhost@evil.example"}, 400),
        ({"host": ""}, 400),
        ({"host": "[::1"}, 400),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "http://127.0.0.1:4000"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"origin": "http://evil.example/?localhost"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/health", "/memory-routing/rules"])
async def test_no_foreign_page_asks_through_a_browser(
    ada: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await ada.get(path, headers=headers)
    assert answer.status_code == status
    assert (status == 200) == ("error" not in answer.json())


async def test_a_cookie_is_no_key(engine: Engine) -> None:
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    cookies = {"token": "sk-ada", "authorization": "Bearer sk-ada"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=cookies) as browser:
        assert (await browser.get("/v1/memories")).status_code == 401


# --- whose ---

WRITES = {
    "POST /v1/memories": {"json": {"text": "I like tea."}},
    "PATCH /v1/memories/x": {"json": {"text": "I like tea."}},
    "DELETE /v1/memories/x": {},
    "DELETE /v1/namespaces": {},
    "DELETE /v1/namespaces/ada": {},
    "POST /v1/jobs": {},
    "POST /v1/import": {"content": b"{}"},
    "POST /v1/review/x": {"json": {"action": "accept"}},
    "POST /v1/rollback": {"json": {"call": "x"}},
    "POST /v1/audit/secrets": {"json": {"fix": True}},
    "POST /v1/feedback": {"json": {"call": "x", "score": 1}},
}
READS = {"POST /v1/memories/search", "POST /v1/preview"}


async def test_the_master_key_names_the_partition_that_it_writes_in(ada: httpx.AsyncClient, engine: Engine) -> None:
    async def master(headers: Mapping[str, str]) -> Caller:
        return Caller(master=True)

    await ada.post("/v1/memories", json={"text": "I like tea."})
    app = create_app(engine, authenticate=master)
    described = app.openapi()["paths"]
    changing = {
        f"{method.upper()} {path}" for path, methods in described.items() for method in methods if method != "get"
    }
    assert {write.replace("/ada", "/{user}") for write in WRITES} == {
        route.replace("/{memory_id}", "/x") for route in changing - READS
    }
    transport = httpx.ASGITransport(app)
    key = {"x-api-key": "sk-master"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=key) as client:
        for write, request in WRITES.items():
            answer = await client.request(*write.split(), **request)
            assert (write, answer.status_code) == (write, 400)
            assert "?partition=" in answer.json()["error"]["message"]


# --- what nobody foresaw ---


async def test_an_error_that_nobody_foresaw_tells_nothing(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async def failing(headers: Mapping[str, str]) -> Caller:
        raise RuntimeError(SECRET)

    transport = httpx.ASGITransport(create_app(engine, authenticate=failing))
    with caplog.at_level(logging.INFO):
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get("/v1/memories", headers={"x-api-key": SECRET})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert SECRET not in answer.text + str(answer.headers) + caplog.text
    assert "RuntimeError" in caplog.text
