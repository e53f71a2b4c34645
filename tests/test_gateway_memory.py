"""Beside LiteLLM's own gateway memory, which asks the model in rounds: one recall, and nothing learned from its tools.

The rounds are made by hand after the code of BerriAI/litellm#40894: no release has it, and it needs a database.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.memories import Memories
from bed.provider import Provider
from bed.proxy import Proxy
from bed.remembered import memory

from litellm_memory.engine import Engine, Outcome, Request
from litellm_memory.hooks.handler import BESIDE
from litellm_memory.hooks.proxy import is_gateway_memorys
from litellm_memory.models import Caller, Reply, memory_id, namespace
from litellm_memory.settings import SidecarSettings
from litellm_memory.setup.checks import Finding, _sidecar

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACT = "My staging database is called heron-42."
QUESTION = "What is my staging database called? I would like to move it to Oslo."
RESULT = "The office cat of the team is called Miles and lives in Bergen."
NAME = "litellm_memory_search"
PARAMETERS = {"type": "object", "properties": {"query": {"type": "string"}}}

CHAT = (
    {"tools": [{"type": "function", "function": {"name": NAME, "parameters": PARAMETERS}}]},
    [{"role": "user", "content": QUESTION}],
    [
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": NAME}}]},
        {"role": "tool", "tool_call_id": "1", "content": RESULT},
    ],
)
RESPONSES = (
    {"tools": [{"type": "function", "name": NAME, "parameters": PARAMETERS}]},
    [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}],
    [
        {"type": "function_call", "call_id": "1", "name": NAME, "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": RESULT},
    ],
)
MESSAGES = (
    {"tools": [{"name": NAME, "input_schema": PARAMETERS}], "max_tokens": 100},
    [{"role": "user", "content": QUESTION}],
    [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": NAME, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": RESULT}]},
    ],
)
FORMATS = {
    "acompletion": ("/v1/chat/completions", "messages", CHAT),
    "aresponses": ("/v1/responses", "input", RESPONSES),
    "anthropic_messages": ("/v1/messages", "messages", MESSAGES),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    directory: Path = tmp_path_factory.mktemp("beside")
    async with opened_engine(directory, recall={"deadline_ms": 5000, "min_score": 0}) as opened:
        yield opened


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("call_type", FORMATS)
async def test_its_rounds_are_recalled_for_once_and_its_tools_teach_nothing(engine: Engine, call_type: str) -> None:
    route, key, (offered, asked, round_) = FORMATS[call_type]
    user = f"user-{call_type}"
    id = memory_id(namespace("default", user), "fact", key=b"bed")
    await engine.memories.keep([memory(FACT, id=id, partition="default", user=user)])

    async def sent(id: str, messages: list[Any]) -> Outcome:
        body = {"model": "gpt", **offered, key: messages}
        assert is_gateway_memorys(body)
        caller, headers = Caller(master=True), {"x-memory-user-id": user}
        return await engine.before(Request(f"{user}-{id}", call_type, route, headers, body, caller, beside=True))

    first = await sent("1", asked)
    engine.after(first, lambda: Reply("", tools=True, complete=True))
    later = await sent("2", [*asked, *round_])
    assert (first.kind, first.status, first.count) == ("person", "injected", 1)
    assert later.reading is not None
    assert (later.kind, later.reading.reason, later.status) == ("continuation", "gateway_memory", "replayed")
    assert later.body is not None
    assert first.body is not None
    assert later.body[key][0] == first.body[key][0]
    assert later.reading.notes.query is None
    engine.after(later, lambda: Reply("It is heron-42. " + RESULT, complete=True))
    await until(lambda: not engine.after.noting)
    await until(lambda: is_learned(engine, first))
    await engine.memories.follow()
    assert not any("Miles" in one.text for one in await engine.memories.all("default", user))


def is_learned(engine: Engine, outcome: Outcome) -> bool:
    with closing(sqlite3.connect(engine.settings.data_dir / "ledger.db")) as ledger:
        return bool(ledger.execute("SELECT 1 FROM learned WHERE mark = ?", (outcome.mark,)).fetchone())


def rounds(call_type: str, fact: str) -> Iterator[Mapping[str, Any]]:
    """The bodies of the person's message, and of the round behind a call of LiteLLM's tool."""
    _, key, (offered, asked, round_) = FORMATS[call_type]
    body = {"model": "claude" if call_type == "anthropic_messages" else "gpt", **offered}
    for messages in (asked, [*asked, *round_]):
        yield json.loads(json.dumps({**body, key: messages}).replace(QUESTION, fact))


async def test_rounds_through_the_proxy_are_given_one_block_and_told_in_ready(
    session_provider: Provider, tmp_path: Path
) -> None:
    session_provider.reset()
    with (
        Proxy(tmp_path, session_provider.url, memory={}) as proxy,
        proxy.sidecar() as sidecar,
        proxy.client() as client,
    ):
        memories = Memories(proxy, sidecar)
        memories.wait_until_ready()
        for call_type, (route, *_) in FORMATS.items():
            memories.add(FACT, user=call_type)
            before = sidecar.get("/ready").json()["problems"].get("beside")
            told, sent = [], []
            for body in rounds(call_type, QUESTION):
                answer = client.post(route, json=body, headers={"x-memory-user-id": call_type})
                told.append((answer.status_code, answer.headers["x-memory-status"]))
                raw = [received.raw.decode() for received in session_provider.take()]
                sent += [one for one in raw if "move it to Oslo" in one]
            assert (told, [one.count("heron-42") for one in sent]) == ([(200, "injected"), (200, "replayed")], [1, 1])
            assert (before, sidecar.get("/ready").json()["problems"]["beside"]) in ((None, BESIDE), (BESIDE, BESIDE))
        assert Finding("warning", BESIDE, "docs/coming-from/litellm.md") in await _sidecar(
            SidecarSettings(port=proxy.sidecar_port)
        )


async def test_other_tools_are_nobodys_memory() -> None:
    assert not is_gateway_memorys({"tools": [{"name": "search"}, {"type": "web_search"}, "odd", {"function": None}]})
    assert not is_gateway_memorys({"messages": []})
