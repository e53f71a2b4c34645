"""Given only what `x-memory-trace` said, the command line answers why a memory was recalled and why another was not."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.proxy import free_port
from typer.testing import CliRunner

from litellm_memory.cli import app
from litellm_memory.engine import Engine, Request
from litellm_memory.models import Caller
from litellm_memory.sidecar import create_app, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACT = "My staging database is called heron-42."
QUESTION = "What is my staging database called?"
CALL = {"id": "t", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOOLS = [
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "t", "content": "42"},
]
CALLERS = {"ada": Caller(user="ada", key_alias="laptop"), "eve": Caller(user="eve")}
COUNTER = itertools.count()
Headers = Mapping[str, str]


async def authenticate(headers: Headers) -> Caller:
    return CALLERS[headers["authorization"].removeprefix("Bearer ")]


@dataclass
class House:
    """A sidecar that listens, its engine, and ada's client; each test is a user of its own."""

    engine: Engine
    ada: httpx.AsyncClient
    user: str = ""

    async def keep(self, text: str = FACT, **fields: Any) -> str:
        answer = await self.ada.post("/v1/memories", json={"text": text, "user": self.user, **fields})
        return str(answer.json()["id"])

    async def ask(self, *said: str, headers: Headers | None = None, key: str = "ada", **request: Any) -> str:
        """The id of the trace of a request that ends with these words; every other message is an answer."""
        roles = itertools.cycle(("user", "assistant"))
        messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
        messages += request.pop("more", [])
        asked = Request(
            id=f"call-{next(COUNTER)}",
            call_type="acompletion",
            route="/v1/chat/completions",
            headers={"x-memory-user-id": self.user, **(headers or {})},
            body={"model": "gpt", "messages": messages},
            caller=CALLERS[key],
            models=("gpt",),
        )
        await self.engine.before(replace(asked, **request))
        return asked.id

    async def told(self, trace: str, memory: str | None = None) -> str:
        """What `litellm-memory trace` prints."""
        arguments = ["trace", trace, *(["--memory", memory] if memory else [])]
        arguments += ["--url", str(self.ada.base_url), "--key", "ada"]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env={"COLUMNS": "400"})
        return result.stdout or result.stderr


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    port = free_port()
    # Anything that is found at all comes near enough here, unless a test says otherwise.
    settings = {"sidecar": {"port": port}, "recall": {"deadline_ms": 5000, "min_score": 0.3}}
    async with opened_engine(tmp_path_factory.mktemp("data"), **settings) as engine:
        engine.spawn(serve(create_app(engine, authenticate=authenticate), engine))
        headers = {"authorization": "Bearer ada"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, verify=False
        ) as ada:
            async with asyncio.timeout(10):
                while not await answers(ada):
                    await asyncio.sleep(0.02)
            yield House(engine, ada)


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def house(served: House) -> House:
    return replace(served, user=f"user-{next(COUNTER)}")


Scene = Callable[[House], Awaitable[tuple[str, str | None]]]
"""What happens: the id of the trace, and of the memory that is asked about."""


def asked_with(headers: Headers | None = None, *said: str, text: str = FACT, **fields: Any) -> Scene:
    """A memory with these fields is kept, then a request comes with these headers."""

    async def scene(house: House) -> tuple[str, str]:
        memory = await house.keep(text, **fields)
        return await house.ask(*(said or (QUESTION,)), headers=headers), memory

    return scene


async def beyond_the_limit(house: House) -> tuple[str, str]:
    memories = {await house.keep(f"My staging database number {n} is called heron-{n}.") for n in range(3)}
    trace = await house.ask(QUESTION, headers={"x-memory-max": "2"})
    found = (await house.ada.get(f"/v1/traces/{trace}")).json()["candidates"]
    [left] = memories - {one["memory"] for one in found if one["left_out"] is None}
    return trace, left


async def superseded(house: House) -> tuple[str, str]:
    line = {"text": FACT, "id": "old", "superseded_by": {"id": "new", "reason": "it was renamed"}}
    await house.ada.post("/v1/import", params={"user": house.user}, content=json.dumps(line))
    [memory] = (await house.ada.get(f"/v1/namespaces/{house.user}/memories")).json()["data"]
    return await house.ask(QUESTION), memory["id"]


async def waits_for_review(house: House) -> tuple[str, str]:
    line = {"text": FACT, "review": "it is not the person's own new words"}
    await house.ada.post("/v1/import", params={"user": house.user}, content=json.dumps(line))
    [memory] = (await house.ada.get(f"/v1/namespaces/{house.user}/memories")).json()["data"]
    return await house.ask(QUESTION), memory["id"]


async def not_valid_now(house: House) -> tuple[str, str]:
    memory = await house.keep()
    await house.ada.patch(f"/v1/memories/{memory}", json={"valid_until": "2020-01-01T00:00:00Z"})
    return await house.ask(QUESTION), memory


async def of_another_user(house: House) -> tuple[str, str]:
    other = replace(house, user=f"{house.user}-else")
    return await house.ask(QUESTION), await other.keep()


async def already_carried(house: House) -> tuple[str, str]:
    memory = await house.keep()
    await house.ask(QUESTION)
    return await house.ask(QUESTION, "heron-42", "Sorry, what is my staging database called?"), memory


async def in_a_tool_loop(house: House) -> tuple[str, str]:
    memory = await house.keep()
    return await house.ask(QUESTION, more=TOOLS), memory


async def replayed_in_a_tool_loop(house: House) -> tuple[str, str]:
    memory = await house.keep()
    await house.ask(QUESTION)
    return await house.ask(QUESTION, more=TOOLS), memory


async def sent_again(house: House) -> tuple[str, str]:
    await house.ask(QUESTION)
    memory = await house.keep()
    return await house.ask(QUESTION), memory


async def kept_later(house: House) -> tuple[str, str]:
    trace = await house.ask(QUESTION)
    return trace, await house.keep()


async def forgotten_since(house: House) -> tuple[str, str]:
    trace, memory = await asked_with()(house)
    await house.ada.delete(f"/v1/memories/{memory}")
    return trace, str(memory)


async def late(house: House) -> tuple[str, str]:
    memory = await house.keep()
    settings = house.engine.settings
    short = settings.model_copy(update={"recall": settings.recall.model_copy(update={"deadline_ms": 0})})
    house.engine.use(short)
    try:
        return await house.ask(QUESTION), memory
    finally:
        house.engine.use(settings)


def under(**changed: Any) -> Scene:
    """The request comes while these settings hold."""

    async def scene(house: House) -> tuple[str, str]:
        memory = await house.keep()
        settings = house.engine.settings
        house.engine.use(type(settings).model_validate({**settings.model_dump(), **changed}))
        try:
            return await house.ask(QUESTION), memory
        finally:
            house.engine.use(settings)

    return scene


def refused(headers: Headers) -> Scene:
    async def scene(house: House) -> tuple[str, None]:
        return await house.ask(QUESTION, headers=headers), None

    return scene


SCENES: Mapping[str, tuple[Scene, str]] = {
    "recalled": (asked_with(), "Recalled: its score "),
    "a standing wish": (
        asked_with(None, "How many moons has Jupiter?", text="Answer in metric units.", kind="instruction"),
        "Recalled: it is a standing wish, which holds whatever is asked.",
    ),
    "budget": (asked_with({"x-memory-token-budget": "3"}), "Not recalled: there was no room for it within 3 tokens"),
    "limit": (beyond_the_limit, "Not recalled: 2 better ones filled the number that may be given"),
    "threshold": (asked_with(None, "How many moons does Jupiter have?"), "is below `recall.min_score` (0.3)"),
    "superseded": (superseded, "Not recalled: a newer memory took its place. It is "),
    "not valid now": (not_valid_now, "Not recalled: its time of validity had ended, or had not begun."),
    "in review": (waits_for_review, "waits for its owner's word, because it is not the person's own new words"),
    "other project": (asked_with({"x-memory-project": "apollo"}, project="zeus"), "it belongs to another project"),
    "other session": (asked_with({"x-memory-session-id": "two"}, session="one"), "is limited to its session"),
    "other user": (of_another_user, "This user has no memory with this id: there never was one, or it was forgotten"),
    "excluded kind": (asked_with({"x-memory-kinds": "decision"}), "the request asked for other kinds"),
    "excluded tag": (asked_with({"x-memory-tags": "ops"}), "it lacks a tag that the request asked for"),
    "already carried": (already_carried, "Not recalled: the conversation carries it already"),
    "skipped kind": (in_a_tool_loop, "Not looked at: Nothing new is recalled for such a request: it goes on after"),
    "replayed": (replayed_in_a_tool_loop, "Carried: it was given with an earlier message of this conversation"),
    "frozen": (sent_again, "Not looked at: The same message came before, and got again exactly what"),
    "kept later": (kept_later, "after the request."),
    "trivial": (asked_with(None, "thanks"), "Not looked at: Words like a greeting or a thank-you"),
    "off by header": (asked_with({"x-memory-inject": "no"}), "Not looked at: The request itself asked for no memory"),
    "off by setting": (under(inject=False), "Not looked at: Memory gives nothing here: it is off in the settings"),
    "off by model": (under(models={"exclude": ["gpt*"]}), "is excluded by `models` in the settings."),
    "off by key": (under(keys={"exclude": ["laptop"]}), "is excluded by `keys` in the settings."),
    "late": (late, "Not looked at: Recall took longer than `recall.deadline_ms`"),
    "forgotten since": (forgotten_since, "It was forgotten since."),
    "an unreadable header": (
        refused({"x-memory-token-budget": "many"}),
        "The header `x-memory-token-budget` could not be read",
    ),
    "an unreadable identity": (refused({"x-memory-project": "\x01"}), "cannot be read, and nothing is guessed."),
    "an end user": (refused({"x-openwebui-user-id": "bob"}), "its key is not listed in `identity.delegating_keys`."),
}


@pytest.mark.parametrize("scene", SCENES)
async def test_the_trace_answers_why(house: House, scene: str) -> None:
    happens, sentence = SCENES[scene]
    trace, memory = await happens(house)
    assert sentence in await house.told(trace, memory)


async def test_a_trace_shows_what_stood_in_the_prompt_and_what_was_forgotten_of_it(house: House) -> None:
    memory = await house.keep()
    trace = await house.ask(QUESTION)
    told = await house.told(trace)
    assert "Block of 1, first given here:\n<memory note=" in told
    assert FACT in told
    await house.ada.delete(f"/v1/memories/{memory}")
    told = await house.told(trace)
    assert FACT not in told
    assert "One memory of it is not shown" in told


async def test_a_trace_of_somebody_else_is_told_like_one_that_never_was(house: House) -> None:
    trace = await house.ask(QUESTION, key="eve")
    assert await house.told(trace) == await house.told("never-was")


async def test_a_preview_says_why_as_a_trace_would(house: House) -> None:
    memory = await house.keep()
    body = {"messages": [{"role": "user", "content": QUESTION}]}
    asked = {"headers": {"x-memory-user-id": house.user}, "body": body}
    trace = (await house.ada.post("/v1/preview", json=asked)).json()["trace"]
    [found] = trace["candidates"]
    assert (found["memory"], found["because"][:19]) == (memory, "Recalled: its score")
    assert trace["why"] == ["New words of a person: one memory went into the block that was put before them."]
