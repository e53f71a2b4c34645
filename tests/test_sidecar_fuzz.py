"""Whatever is sent to the sidecar, it answers as its description says, and never with a failure of its own."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from bed.engines import opened_engine
from bed.proxy import free_port
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.sidecar import create_app

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
KEY = {"authorization": "Bearer sk-fuzz"}
MEMORY = {"text": "My sister Anna plays the cello.", "user": "anna", "project": "music", "tags": ["family"]}


async def authenticate(headers: Mapping[str, str]) -> Caller:
    return Caller(user="fuzz")


@schemathesis.serializer("application/x-ndjson")
def lines(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """The description calls the lines of an import a string."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


class Running:
    """The sidecar of a real engine on a port of loopback, in a thread with an event loop of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.port = free_port()
        self.description: dict[str, Any] = {}
        self._data_dir = data_dir
        self._serving = threading.Event()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, with no path."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._serving.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(30)

    async def _run(self) -> None:
        limits = {"port": self.port, "requests_per_minute": 1_000_000}
        async with opened_engine(self._data_dir, sidecar=limits) as engine:
            app = with_page(create_app(engine, authenticate=authenticate))
            self.description = app.openapi()
            async with self._serve(app):
                pass

    @asynccontextmanager
    async def _serve(self, app: FastAPI) -> AsyncIterator[None]:
        config = uvicorn.Config(app, port=self.port, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        self._serving.set()
        yield
        await serving


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("fuzz")) as running:
        httpx.post(f"{running.url}/v1/memories", json=MEMORY, headers=KEY).raise_for_status()
        yield running


def answers_as_described(sidecar: Running, examples: int) -> list[str]:
    """Sends every operation this many requests that fit its description, and as many that do not; the operations."""
    schema = schemathesis.openapi.from_dict(sidecar.description)
    asked = []
    for found in schema.get_all_operations():
        operation = found.ok()
        asked.append(operation.label)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def conforms(case: schemathesis.Case) -> None:
                case.call_and_validate(base_url=sidecar.url, headers=KEY, checks=list(CHECKS))

            # A route that takes nothing cannot be asked wrongly.
            with suppress(Unsatisfiable):
                conforms()
    return asked


def test_every_route_answers_as_it_is_described(sidecar: Running) -> None:
    asked = answers_as_described(sidecar, 3)
    assert len(asked) >= 20
    assert "POST /v1/memories" in asked


@pytest.mark.long
def test_every_route_answers_as_it_is_described_to_hundreds_of_requests(sidecar: Running) -> None:
    answers_as_described(sidecar, 200)


# --- what no description knows ---

BODIES = {
    "nothing": b"",
    "no JSON": b'{"text": "Hello.',
    "nested beyond reading": b'{"text": ' + b"[" * 100_000,
    "nested deeply": b'{"body": ' + b"[" * 900 + b"]" * 900 + b"}",
    "NaN": b'{"text": NaN, "score": Infinity, "limit": -Infinity}',
    "a huge number": b'{"limit": ' + b"9" * 5000 + b', "score": 1e999}',
    "lone surrogates": rb'{"text": "\ud83d", "query": "\udc00", "user": "\ud800"}',
    "NUL characters": rb'{"text": "a\u0000b", "query": "\u0000", "user": "\u0000"}',
    "no UTF-8": b'{"text": "\xff\xfe\xfa"}',
    "a key twice": b'{"text": "one", "text": "two", "query": "x"}',
    "a list": b"[[], {}, 7]",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data", "application/x-ndjson"]
)
def test_no_body_makes_a_route_fail(sidecar: Running, body: bytes, content_type: str) -> None:
    with httpx.Client(base_url=sidecar.url, headers={**KEY, "content-type": content_type}, verify=False) as client:
        for path, methods in sidecar.description["paths"].items():
            for method in (method for method in methods if "requestBody" in methods[method]):
                answer = client.request(method, path.replace("{", "").replace("}", ""), content=body)
                assert answer.status_code < 500, (method, path)
                assert answer.status_code in (200, 204) or answer.json().keys() == {"error"}


def test_no_id_or_name_with_a_nul_character_is_looked_for(sidecar: Running) -> None:
    described = sidecar.description["paths"].items()
    asked = [(method, re.sub(r"{.*?}", "%00", path)) for path, methods in described for method in methods]
    asked = [(method, path) for method, path in asked if "%00" in path] + [("get", "/v1/traces?cursor=a%00")]
    with httpx.Client(base_url=sidecar.url, headers=KEY, verify=False) as client:
        answers = {(method, path): client.request(method, path) for method, path in asked}
    assert len(answers) > 10
    assert {one: answer.status_code for one, answer in answers.items() if answer.status_code != 400} == {}


ODD = st.text(min_size=1, max_size=40).filter(lambda text: text.strip("./") != "")


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(ODD, ODD, ODD)
def test_no_id_cursor_or_partition_makes_a_route_fail(sidecar: Running, id: str, cursor: str, partition: str) -> None:
    with httpx.Client(base_url=sidecar.url, headers=KEY, verify=False) as client:
        for path in ("/v1/memories", "/v1/namespaces", "/v1/traces", "/v1/review"):
            answer = client.get(path, params={"cursor": cursor, "user": id, "partition": partition})
            assert answer.status_code in (200, 400, 404, 422)
        for path in ("/v1/memories", "/v1/namespaces", "/v1/traces", "/v1/jobs"):
            answer = client.get(f"{path}/{httpx.QueryParams({'': id})!s}".replace("/=", "/"))
            assert answer.status_code in (200, 404, 405, 422), path
