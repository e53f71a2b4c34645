"""How often, how large and from where the sidecar may be asked; and what it says when something breaks."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from fastapi import HTTPException

from litellm_memory.api.jobs import shape
from litellm_memory.engine import Engine
from litellm_memory.errors import StoreError, UnauthorizedError
from litellm_memory.gate.rates import CALLERS, REFUSALS, Rates
from litellm_memory.gate.turns import AT_ONCE, Places, given_back
from litellm_memory.ledger import Job
from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.sidecar import create_app

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


async def outcome(rates: Rates, key: str, address: str = "192.0.2.1", **others: str) -> int | str:
    """200, 401, or the seconds to wait."""
    try:
        await rates({"authorization": f"Bearer {key}", **others}, address)
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


async def test_no_number_of_invalid_keys_makes_a_known_one_unknown() -> None:
    rates = Rates(authenticate, lambda: 1_000_000, Clock())
    assert await outcome(rates, "sk-ada") == 200
    for number in range(2 * CALLERS):
        await outcome(rates, f"sk-{number}", address=f"198.51.{number % 90}.{number % 250}")
    # Nobody who is not known passes from her own address now.
    assert [await outcome(rates, f"sk-more-{number}") for number in range(REFUSALS + 1)][-1] == "1"
    assert await outcome(rates, "sk-ada") == 200


async def test_who_tries_keys_out_locks_out_no_new_key_of_another_address() -> None:
    rates = Rates(authenticate, lambda: 6, Clock())
    for number in range(REFUSALS):
        await outcome(rates, f"sk-{number}", address=f"2001:db8::{number:x}")
    assert await outcome(rates, "sk-ada", address="2001:db8::ffff") == "1"
    assert await outcome(rates, "sk-ada", address="2001:db8:0:1::1") == 200


async def test_an_ipv4_address_on_a_socket_for_both_versions_is_an_address_of_its_own() -> None:
    rates = Rates(authenticate, lambda: 6, Clock())
    for number in range(REFUSALS):
        await outcome(rates, f"sk-{number}", address="::ffff:192.0.2.1")
    assert await outcome(rates, "sk-ada", address="192.0.2.1") == "1"
    assert await outcome(rates, "sk-ada", address="::ffff:192.0.2.2") == 200


async def test_a_caller_is_served_a_few_requests_at_once_and_others_do_not_wait() -> None:
    places, served = Places(), Counter[str]()
    goes_on = asyncio.Event()

    async def request(caller: str) -> None:
        scope: dict[str, object] = {}
        with given_back(scope):
            await places.take(caller, scope)
            await places.take(caller, scope)  # of the same request: it has its place already
            served[caller] += 1
            await goes_on.wait()

    many = [asyncio.create_task(request(caller)) for caller in ("ada",) * 9 + ("eve",)]
    while not served["eve"]:
        await asyncio.sleep(0)
    assert served == {"ada": AT_ONCE, "eve": 1}
    goes_on.set()
    await asyncio.gather(*many)
    assert served == {"ada": 9, "eve": 1}


async def test_whoever_does_not_read_what_they_asked_for_is_told_so_and_waits_for_no_ever() -> None:
    places, scopes = Places(wait_seconds=0), [dict[str, object]() for _ in range(AT_ONCE + 1)]
    with ExitStack() as held:
        for scope in scopes:
            held.enter_context(given_back(scope))
        for scope in scopes[:AT_ONCE]:
            await places.take("ada", scope)
        with pytest.raises(HTTPException) as refused:
            await places.take("ada", scopes[-1])
    assert (refused.value.status_code, refused.value.headers) == (429, {"retry-after": "1"})
    with given_back({}) as _, given_back(scope := {}):
        await places.take("ada", scope)


async def test_a_second_header_makes_no_second_caller() -> None:
    rates = Rates(authenticate, lambda: 6, Clock())
    outcomes = [await outcome(rates, "sk-ada", **{"x-goog-api-key": f"x{number}"}) for number in range(20)]
    assert outcomes == [200] * 6 + ["10"] * 14


async def test_one_key_pushes_no_other_out_however_many_headers_it_has() -> None:
    async def either(headers: Mapping[str, str]) -> Caller:
        if "x-api-key" not in headers and headers["authorization"] != "Bearer sk-ada":
            raise UnauthorizedError("LiteLLM does not accept this key.")
        return Caller(key=headers["authorization"])

    rates = Rates(either, lambda: 1_000_000, Clock())
    assert await outcome(rates, "sk-ada") == 200
    for number in range(2 * CALLERS):
        assert await outcome(rates, "sk-eve", **{"x-api-key": str(number)}) == 200
    for number in range(REFUSALS):
        assert await outcome(rates, f"sk-{number}") == 401
    assert await outcome(rates, "sk-eve", **{"x-api-key": "0"}) == "1"
    assert await outcome(rates, "sk-ada") == 200


async def test_a_key_that_litellm_refuses_from_now_on_is_tried_out_like_any_other() -> None:
    known = {"Bearer sk-ada"}

    async def while_known(headers: Mapping[str, str]) -> Caller:
        if headers["authorization"] not in known:
            raise UnauthorizedError("LiteLLM does not accept this key.")
        return Caller(user="ada")

    rates = Rates(while_known, lambda: 1000, Clock())
    assert await outcome(rates, "sk-ada") == 200
    known.clear()
    assert [await outcome(rates, "sk-ada") for _ in range(REFUSALS + 2)] == [401] * (REFUSALS + 1) + ["1"]


async def test_guesses_at_the_operators_key_are_counted_like_those_at_any_other(tmp_path: Path) -> None:
    async with opened_engine(tmp_path, sidecar={"api_key": "sk-operator"}) as guarded:
        transport = httpx.ASGITransport(create_app(guarded, authenticate=authenticate), client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as guessing:
            answers = [
                await guessing.get("/v1/namespaces", headers={"x-api-key": key})
                for key in (*(f"sk-{number}" for number in range(REFUSALS)), "sk-operator")
            ]
    assert [answer.status_code for answer in answers] == [401] * REFUSALS + [429]


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


@pytest.mark.parametrize(("host", "status"), [("evil.example", 401), ("localhost:8764", 200), ("127.0.0.1", 200)])
async def test_no_page_reads_the_rules_by_a_name_of_its_own_whatever_is_listened_on(
    tmp_path: Path, host: str, status: int
) -> None:
    async with opened_engine(tmp_path, sidecar={"host": "0.0.0.0"}) as everywhere:
        transport = httpx.ASGITransport(create_app(everywhere, authenticate=authenticate))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as page:
            answer = await page.get("/memory-routing/rules", headers={"origin": f"http://{host}"})
    assert answer.status_code == status


async def test_a_cookie_is_no_key(engine: Engine) -> None:
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    cookies = {"token": "sk-ada", "authorization": "Bearer sk-ada"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=cookies) as browser:
        assert (await browser.get("/v1/memories")).status_code == 401


# --- whose ---

WRITES = {
    "POST /v1/bulk": {"json": {"action": "pin", "ids": ["x"]}},
    "POST /v1/memories": {"json": {"text": "I like tea."}},
    "POST /v1/memories/x/undo": {},
    "PATCH /v1/memories/x": {"json": {"text": "I like tea."}},
    "DELETE /v1/memories/x": {},
    "DELETE /v1/namespaces": {},
    "DELETE /v1/namespaces/ada": {},
    "POST /v1/jobs": {},
    "POST /v1/import": {"content": b"{}"},
    "POST /v1/import/conversations": {
        "json": {"conversations": [{"body": {"messages": []}, "said": [{"at": "2026-05-01T10:00:00Z"}]}]}
    },
    "PUT /v1/me": {"json": {"recall": {"paused": False}}},
    "POST /v1/convert": {"content": b"{}", "headers": {"content-type": "application/octet-stream"}},
    "POST /v1/review/x": {"json": {"action": "accept"}},
    "POST /v1/shared": {"json": {"memory": "x"}},
    "DELETE /v1/shared/proposals/x": {},
    "POST /v1/rollback": {"json": {"call": "x"}},
    "POST /v1/audit/secrets": {"json": {"fix": True}},
    "POST /v1/feedback": {"json": {"call": "x", "score": 1}},
}
READS = {
    *("POST /v1/browse", "POST /v1/memories/search", "POST /v1/preview", "POST /v1/identify"),
    *("POST /v1/people", "POST /v1/people/erase", "POST /v1/vector_stores/{store_id}/search"),
}
"""What changes nothing, and what names its partitions itself."""


async def test_the_master_key_names_the_partition_that_it_writes_in(ada: httpx.AsyncClient, engine: Engine) -> None:
    async def master(headers: Mapping[str, str]) -> Caller:
        return Caller(master=True)

    await ada.post("/v1/memories", json={"text": "I like tea."})
    app = with_page(create_app(engine, authenticate=master))
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


async def test_no_key_holder_is_told_a_path_of_the_host(engine: Engine) -> None:
    directory = engine.settings.data_dir

    async def failing(headers: Mapping[str, str]) -> Caller:
        raise StoreError(f"{directory}/chroma cannot be written: give it room.")

    transport = httpx.ASGITransport(create_app(engine, authenticate=failing))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/v1/memories", headers={"x-api-key": "sk-ada"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        503,
        "data_dir/chroma cannot be written: give it room.",
    )
    job = Job("j", "p", datetime.now(UTC), "scrubbing", problem=f"{directory}/ledger.db is full.")
    assert shape(engine, job, {}).problem == "data_dir/ledger.db is full."


async def test_who_has_no_key_is_told_no_path_of_the_host(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = f"{engine.settings.data_dir}/owner.log says why; {sys.prefix}/lib cannot be read. /azure relays no memory."
    monkeypatch.setattr(engine.health, "store", told)
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/ready")
    shown = "data_dir/owner.log says why; lib cannot be read. /azure relays no memory."
    assert (answer.status_code, answer.json()["problems"]) == (503, {"store": shown})
