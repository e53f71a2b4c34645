"""What was learned from one request, or since a time, is taken back: from answers, from prompts, from what it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from typer.testing import CliRunner

from litellm_memory.cli import app
from litellm_memory.engine import Engine
from litellm_memory.models import Caller, Memory, Origin, Superseded, namespace
from litellm_memory.sidecar import create_app
from litellm_memory.store import memory_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 5, 1, tzinfo=UTC)
NUMBERS = count()


async def authenticate(headers: Mapping[str, str]) -> Caller:
    return Caller(user=headers["authorization"].removeprefix("Bearer "))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody alone in a partition."""
    key = {"authorization": f"Bearer user-{next(NUMBERS)}"}
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=key) as client:
        yield client


async def learned(engine: Engine, client: httpx.AsyncClient, text: str, call: str | None, **fields: Any) -> Memory:
    """A memory in the client's partition as learning keeps it; as an addition does, when there is no call."""
    added = (await client.post("/v1/memories", json={"text": text})).json()
    origin = Origin("person", None, call) if call else Origin("api")
    return await engine.memories.correct(
        added["partition"], added["id"], lambda memory: replace(memory, origin=origin, **fields)
    )


async def texts(client: httpx.AsyncClient, path: str = "/v1/memories") -> set[str]:
    return {memory["text"] for memory in (await client.get(path)).json()["data"]}


async def take_back(client: httpx.AsyncClient, **asked: Any) -> set[str]:
    answer = await client.post("/v1/rollback", json=asked)
    assert answer.status_code == 200, answer.text
    return {memory["text"] for memory in answer.json()["data"]}


async def test_what_one_request_left_behind_is_forgotten_and_nothing_else(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    await learned(engine, client, "I live in Bristol.", "call-1")
    await learned(engine, client, "My dog is called Rex.", "call-1")
    await learned(engine, client, "I like tea.", "call-2")
    await learned(engine, client, "The office is in Lisbon.", None)
    expected = {"I live in Bristol.", "My dog is called Rex."}
    assert await take_back(client, call="call-1", dry_run=True) == expected
    assert len(await texts(client)) == 4
    assert await take_back(client, call="call-1") == expected
    assert await texts(client) == {"I like tea.", "The office is in Lisbon."}
    assert await take_back(client, call="call-1") == set()


async def test_what_was_learned_since_a_time_is_forgotten(engine: Engine, client: httpx.AsyncClient) -> None:
    await learned(engine, client, "I live in Bristol.", "call-1", created=NOW - timedelta(hours=1))
    await learned(engine, client, "I like tea.", "call-2", created=NOW)
    await learned(engine, client, "The office is in Lisbon.", None, created=NOW)
    assert await take_back(client, since="2026-05-01T00:00:00Z") == {"I like tea."}
    assert await texts(client) == {"I live in Bristol.", "The office is in Lisbon."}


async def test_what_is_put_aside_waits_for_review(engine: Engine, client: httpx.AsyncClient) -> None:
    await learned(engine, client, "I live in Bristol.", "call-1")
    assert await take_back(client, call="call-1", action="review") == {"I live in Bristol."}
    assert await texts(client, "/v1/review") == {"I live in Bristol."}
    search = await client.post("/v1/memories/search", json={"query": "Bristol"})
    assert search.json() == {"results": []}


@pytest.mark.parametrize("action", ["forget", "review"])
async def test_what_it_took_the_place_of_holds_again(engine: Engine, client: httpx.AsyncClient, action: str) -> None:
    newer = await learned(engine, client, "Our database is MySQL.", "call-2")
    ended = {"superseded_by": Superseded(newer.id, "a newer statement"), "valid_until": NOW}
    older = await learned(engine, client, "Our database is PostgreSQL.", "call-1", **ended)
    await take_back(client, call="call-2", action=action)
    found = (await client.post("/v1/memories/search", json={"query": "our database"})).json()["results"]
    assert [item["memory"]["id"] for item in found] == [older.id]


async def test_nobody_takes_back_what_another_partition_learned(engine: Engine, client: httpx.AsyncClient) -> None:
    space = namespace("elsewhere", "eve")
    foreign = Memory(
        memory_id(space, "x", key=b"k"), "elsewhere", "eve", "I like tea.", "fact", NOW, origin=Origin(call_id="call-1")
    )
    await engine.memories.keep([foreign])
    assert await take_back(client, call="call-1") == set()
    assert await take_back(client, since="2020-01-01T00:00:00Z") == set()
    assert (await engine.memories.get("elsewhere", foreign.id)).text == "I like tea."


@pytest.mark.parametrize("asked", [{}, {"call": ""}, {"since": "yesterday"}, {"call": "x", "action": "erase"}])
async def test_a_rollback_that_names_nothing_is_refused(client: httpx.AsyncClient, asked: dict[str, str]) -> None:
    assert (await client.post("/v1/rollback", json=asked)).status_code == 422


async def test_a_request_is_taken_back_from_the_conversation_that_it_is_in(
    proxy: Proxy, provider: Provider, memories: Memories, user: str
) -> None:
    """The id that the client was told leads to the memory, and the block that carries it loses it."""
    said = {"x-memory-user-id": user}
    ask = {"model": "gpt", "messages": [{"role": "user", "content": "Which instrument does my sister Anna play?"}]}
    tell = {"model": "gpt", "messages": [{"role": "user", "content": "My sister Anna plays the cello in Graz."}]}
    with proxy.client() as client, proxy.sidecar() as sidecar:
        call = client.post("/v1/chat/completions", json=tell, headers=said).headers["x-memory-trace"]
        memories.wait_for(user, lambda found: bool(mentioning(found, "cello")))
        client.post("/v1/chat/completions", json=ask, headers=said).raise_for_status()
        body = {"call": call}
        taken = sidecar.post("/v1/rollback", json=body, params={"partition": "default"}).raise_for_status().json()
        client.post("/v1/chat/completions", json=ask, headers=said).raise_for_status()
    assert mentioning(taken["data"], "cello") != []
    [_, before, after] = [str(received.body) for received in provider.take()]
    assert "cello" in before
    assert "cello" not in after


async def test_the_command_takes_back_what_a_request_left(tmp_path: Path) -> None:
    # A command has an event loop of its own.
    await asyncio.to_thread(commands_take_back, tmp_path)


def commands_take_back(tmp_path: Path) -> None:
    config, lines = tmp_path / "config.yaml", tmp_path / "memories.jsonl"
    config.write_text("model_list: []\nlitellm_memory: {sidecar: {port: 1}}\n", encoding="utf-8")
    origin = {"role": "person", "call_id": "call-1"}
    rows = [{"text": "I live in Bristol.", "origin": origin}, {"text": "The office is in Lisbon."}]
    lines.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run = CliRunner()
    at = ["--config", str(config), "--json"]
    assert run.invoke(app, ["import", str(lines), *at]).exit_code == 0
    tried = json.loads(run.invoke(app, ["forget", "--call", "call-1", "--dry-run", *at]).stdout)
    done = json.loads(run.invoke(app, ["forget", "--since", "2020-01-01T00:00:00Z", *at]).stdout)
    left = json.loads(run.invoke(app, ["list", *at]).stdout)
    assert [[memory["text"] for memory in told["data"]] for told in (tried, done)] == [["I live in Bristol."]] * 2
    assert [memory["text"] for memory in left] == ["The office is in Lisbon."]
    assert run.invoke(app, ["forget", "--call", "call-1", "some-id", *at]).exit_code != 0
    assert run.invoke(app, ["forget", "some-id", "--dry-run", *at]).exit_code != 0
