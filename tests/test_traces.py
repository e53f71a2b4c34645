"""Why was it recalled, and why not: traces and previews answer for every situation, and to nobody else."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine

from litellm_memory.engine import Engine, Request
from litellm_memory.ledger.blocks import BLOCKS_KEPT, prune_blocks
from litellm_memory.models import Caller, Superseded
from litellm_memory.sidecar import create_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNTER = itertools.count()
CALLERS = {"ada": Caller(user="ada"), "eve": Caller(user="eve")}
FACT = "My staging database is called heron-42."
QUESTION = "What is my staging database called?"


async def authenticate(headers: Mapping[str, str]) -> Caller:
    return CALLERS[headers["authorization"].removeprefix("Bearer ")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(engine, "ada") as client:
        yield client


def client_of(engine: Engine, name: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    return httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers={"authorization": f"Bearer {name}"}
    )


@pytest.fixture
def user() -> str:
    return f"user-{next(COUNTER)}"


def request(user: str, *said: str, headers: Mapping[str, str] | None = None, **body: Any) -> Request:
    """What ada's client sends for one of her users: a conversation that alternates between person and assistant."""
    roles = itertools.cycle(("user", "assistant"))
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
    return Request(
        id=f"call-{next(COUNTER)}",
        call_type="acompletion",
        route="/v1/chat/completions",
        headers={"x-memory-user-id": user, **(headers or {})},
        body={"model": "gpt", "messages": messages, **body},
        caller=CALLERS["ada"],
        models=("gpt",),
    )


async def traced(engine: Engine, ada: httpx.AsyncClient, asked: Request) -> dict[str, Any]:
    await engine.before(asked)
    answer = await ada.get(f"/v1/traces/{asked.id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def keep(ada: httpx.AsyncClient, user: str, text: str = FACT, **fields: Any) -> str:
    answer = await ada.post("/v1/memories", json={"text": text, "user": user, **fields})
    return str(answer.json()["id"])


def why(trace: Mapping[str, Any], memory: str) -> str | None:
    """Why a memory was left out of a trace; None when it was recalled."""
    [reason] = [item["left_out"] for item in trace["candidates"] if item["memory"] == memory]
    return None if reason is None else str(reason)


async def test_a_trace_tells_what_was_recalled_and_by_which_scores(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    memory = await keep(ada, user)
    trace = await traced(engine, ada, request(user, QUESTION))
    [found] = trace["candidates"]
    assert (found["memory"], found["text"], found["kind"], found["left_out"]) == (memory, FACT, "fact", None)
    assert set(found["why"]) >= {"vectors", "words"}
    assert set(trace["stages"]) == {"read", "replay", "recall", "freeze"}
    told = {name: trace[name] for name in ("user", "kind", "status", "reason", "count", "model", "limit", "budget")}
    assert told == {
        "user": user,
        "kind": "person",
        "status": "injected",
        "reason": "recalled",
        "count": 1,
        "model": "gpt",
        "limit": engine.settings.recall.max_memories,
        "budget": engine.settings.recall.token_budget,
    }


@pytest.mark.parametrize(
    ("kept", "headers", "reason"),
    [
        ({"project": "zeus"}, {"x-memory-project": "apollo"}, "other_project"),
        ({}, {"x-memory-kinds": "decision"}, "other_kind"),
        ({}, {"x-memory-tags": "ops"}, "other_tags"),
        ({"session": "one"}, {"x-memory-session-id": "two"}, "other_session"),
        ({}, {"x-memory-token-budget": "3"}, "budget"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_trace_tells_why_a_memory_was_left_out(
    engine: Engine, ada: httpx.AsyncClient, user: str, kept: dict[str, str], headers: dict[str, str], reason: str
) -> None:
    memory = await keep(ada, user, **kept)
    trace = await traced(engine, ada, request(user, QUESTION, headers=headers))
    assert (why(trace, memory), trace["status"], trace["reason"]) == (reason, "empty", "nothing_relevant")


async def test_a_memory_beyond_the_limit_is_named(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    memories = [await keep(ada, user, f"My staging database number {n} is called heron-{n}.") for n in range(3)]
    trace = await traced(engine, ada, request(user, QUESTION, headers={"x-memory-max": "2"}))
    assert sorted(str(why(trace, memory)) for memory in memories) == ["None", "None", "limit"]


async def test_a_memory_that_is_not_near_enough_is_named(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    memory = await keep(ada, user)
    trace = await traced(engine, ada, request(user, "How many moons does Jupiter have?"))
    [found] = trace["candidates"]
    assert (found["memory"], found["left_out"], found["score"] < trace["min_score"]) == (memory, "threshold", True)


async def test_a_memory_that_no_longer_holds_is_named(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    memory = await keep(ada, user)
    await ada.patch(f"/v1/memories/{memory}", json={"valid_until": "2020-01-01T00:00:00Z"})
    assert why(await traced(engine, ada, request(user, QUESTION)), memory) == "not_valid_now"


async def test_a_superseded_memory_is_named(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    line = {"text": FACT, "id": "old", "superseded_by": {"id": "new", "reason": "newer"}}
    await ada.post("/v1/import", params={"user": user}, content=json.dumps(line))
    [memory] = (await ada.get(f"/v1/namespaces/{user}/memories")).json()["data"]
    assert why(await traced(engine, ada, request(user, QUESTION)), memory["id"]) == "superseded"


async def test_a_memory_that_the_conversation_carries_is_named(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    memory = await keep(ada, user)
    await traced(engine, ada, request(user, QUESTION))
    again = "Sorry, what is my staging database called?"
    trace = await traced(engine, ada, request(user, QUESTION, "heron-42", again))
    assert (why(trace, memory), trace["carried"], trace["status"]) == ("already_carried", [memory], "replayed")


@pytest.mark.parametrize(
    ("headers", "said", "body", "told"),
    [
        ({}, "thanks", {}, ("person", "empty", "trivial")),
        ({"x-memory-inject": "no"}, QUESTION, {}, ("person", "off", "header")),
        ({"x-memory-inject": "perhaps"}, QUESTION, {}, ("person", "off", "header")),
        ({}, QUESTION, {"max_tokens": 1}, ("probe", "skipped", None)),
    ],
    ids=["trivial", "switched off", "unreadable switch", "probe"],
)
async def test_a_trace_tells_why_nothing_was_looked_for(
    engine: Engine,
    ada: httpx.AsyncClient,
    user: str,
    headers: dict[str, str],
    said: str,
    body: dict[str, Any],
    told: tuple[str, str, str | None],
) -> None:
    await keep(ada, user)
    trace = await traced(engine, ada, request(user, said, headers=headers, **body))
    kind, status, reason = told
    assert (trace["kind"], trace["status"], trace["candidates"]) == (kind, status, [])
    assert trace["reason"] == (reason or trace["kind_reason"])


async def test_a_retry_tells_that_its_block_is_frozen(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    await traced(engine, ada, request(user, QUESTION))
    trace = await traced(engine, ada, request(user, QUESTION))
    assert (trace["status"], trace["reason"], trace["candidates"]) == ("empty", "frozen", [])


async def test_a_header_that_cannot_be_read_is_named(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    trace = await traced(engine, ada, request(user, QUESTION, headers={"x-memory-token-budget": "many"}))
    assert trace["unreadable"] == ["x-memory-token-budget"]


async def test_nobody_else_sees_a_trace(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    asked = request(user, QUESTION)
    await traced(engine, ada, asked)
    async with client_of(engine, "eve") as eve:
        assert (await eve.get(f"/v1/traces/{asked.id}")).status_code == 404
        assert (await eve.get("/v1/traces")).json() == {"data": [], "next_cursor": None}


async def test_what_is_forgotten_is_not_in_a_trace_either(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    memory = await keep(ada, user)
    asked = request(user, QUESTION)
    await traced(engine, ada, asked)
    await ada.delete(f"/v1/memories/{memory}")
    [found] = (await ada.get(f"/v1/traces/{asked.id}")).json()["candidates"]
    assert (found["memory"], found["text"]) == (memory, None)


async def test_a_trace_shows_what_stood_in_the_block_before_a_correction_and_nothing_once_it_is_forgotten(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    memory = await keep(ada, user)
    asked = request(user, QUESTION)
    first = await traced(engine, ada, asked)
    assert [(one["text"], one["stood"]) for one in first["candidates"]] == [(FACT, None)]
    now = "My staging database is called heron-4."
    await ada.patch(f"/v1/memories/{memory}", json={"text": now})
    [found] = (await ada.get(f"/v1/traces/{asked.id}")).json()["candidates"]
    assert (found["text"], found["stood"]) == (now, f"- {FACT}")
    await ada.delete(f"/v1/memories/{memory}")
    gone = (await ada.get(f"/v1/traces/{asked.id}")).text
    assert (FACT in gone, now in gone) == (False, False)


async def test_what_was_cut_out_of_blocks_with_its_correction_is_not_in_a_trace_either(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    memory = await keep(ada, user)
    asked = request(user, QUESTION)
    await traced(engine, ada, asked)
    await ada.patch(f"/v1/memories/{memory}", json={"text": "My staging database is new."}, params={"cut": "true"})
    answer = await ada.get(f"/v1/traces/{asked.id}")
    assert (answer.json()["candidates"][0]["stood"], "heron-42" in answer.text) == (None, False)


async def test_a_trace_names_what_replaced_a_memory_since(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    memory = await keep(ada, user)
    asked = request(user, QUESTION)
    trace = await traced(engine, ada, asked)
    taken = Superseded("e" * 40, "it is newer")
    await engine.memories.correct(trace["partition"], memory, lambda known: replace(known, superseded_by=taken))
    [found] = (await ada.get(f"/v1/traces/{asked.id}")).json()["candidates"]
    assert (found["text"], found["stood"], found["superseded_by"]) == (FACT, None, taken.id)


async def test_the_pages_of_traces_go_from_new_to_old(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    asked = [request(user, f"{QUESTION} {number}") for number in range(5)]
    for one in asked:
        await engine.before(one)
    paged: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await ada.get("/v1/traces", params={"user": user, "limit": "2", **cursor})).json()
        paged += [row["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == [one.id for one in reversed(asked)]


async def test_traces_go_after_their_days_and_beyond_their_number(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    asked = [request(user, f"{QUESTION} {number}") for number in range(3)]
    for one in asked:
        await traced(engine, ada, one)
    await asyncio.wrap_future(engine.ledger.traces.prune(datetime.now(UTC), days=1, most=2))
    kept = (await ada.get("/v1/traces")).json()["data"]
    assert [row["id"] for row in kept] == [asked[2].id, asked[1].id]
    later = datetime.now(UTC) + timedelta(days=2)
    await asyncio.wrap_future(engine.ledger.traces.prune(later, days=1, most=100))
    assert (await ada.get("/v1/traces")).json()["data"] == []


# --- the blocks of its prompt ---

OTHER = "My staging database is backed up every Tuesday."
LATER = "When is my staging database backed up?"


async def blocks_of(ada: httpx.AsyncClient, asked: Request) -> list[dict[str, Any]]:
    return list((await ada.get(f"/v1/traces/{asked.id}")).json()["blocks"])


async def test_a_trace_shows_each_block_exactly_as_it_stood_in_the_prompt(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    await keep(ada, user)
    first = request(user, QUESTION)
    await engine.before(first)
    await keep(ada, user, OTHER)
    asked = request(user, QUESTION, "heron-42", LATER)
    placed = [text for _, text in (await engine.before(asked)).injection.placed]
    earlier, newest = await blocks_of(ada, asked)
    assert [earlier["text"], newest["text"]] == placed
    assert (FACT in placed[0], OTHER in placed[1]) == (True, True)
    assert (earlier["count"], earlier["first_given"], earlier["note"]) == (1, False, None)
    assert (newest["count"], newest["first_given"], newest["note"]) == (1, True, None)
    assert await blocks_of(ada, first) == [{**earlier, "first_given": True}]


async def test_a_retry_shows_the_block_of_the_first_attempt(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    await keep(ada, user)
    first, again = request(user, QUESTION), request(user, QUESTION)
    for one in (first, again):
        await engine.before(one)
    [then], [now] = await blocks_of(ada, first), await blocks_of(ada, again)
    assert now == {**then, "first_given": False}


async def test_a_block_is_shown_without_what_was_forgotten_and_says_so(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    memory, left = await keep(ada, user), "My staging database is called heron-42 by Priya too."
    await keep(ada, user, left)
    asked = request(user, QUESTION)
    block = (await engine.before(asked)).block
    await ada.delete(f"/v1/memories/{memory}")
    [found] = await blocks_of(ada, asked)
    assert (FACT in block, left in block) == (True, True)
    assert (FACT in found["text"], left in found["text"], found["count"]) == (False, True, 2)
    assert found["note"] == "One memory of it is not shown: forgotten since, or shared no more."


async def test_a_block_of_which_all_is_forgotten_is_not_shown(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    memory = await keep(ada, user)
    asked = request(user, QUESTION)
    await engine.before(asked)
    await ada.delete(f"/v1/memories/{memory}")
    [found] = await blocks_of(ada, asked)
    assert (found["text"], found["count"]) == (None, 1)
    assert "forgotten since" in found["note"]


async def test_what_the_store_has_no_more_is_not_shown_even_if_a_block_still_has_it(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    memory = await keep(ada, user)
    asked = request(user, QUESTION)
    await engine.before(asked)
    trace = (await ada.get(f"/v1/traces/{asked.id}")).json()
    await engine.memories.store.delete(trace["partition"], [memory])
    assert [block["text"] for block in await blocks_of(ada, asked)] == [None]


async def test_a_message_that_is_asked_anew_has_another_block_and_the_old_one_is_not_shown(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    await keep(ada, user)
    first, anew = request(user, QUESTION), request(user, QUESTION)
    mark = (await engine.before(first)).mark
    assert mark is not None
    engine.journal.blocks.settle(mark)
    await keep(ada, user, "My staging database is called heron-43 from today on.")
    block = (await engine.before(anew)).block
    assert "heron-43" in block
    [then], [now] = await blocks_of(ada, first), await blocks_of(ada, anew)
    assert (then["text"], "another block" in then["note"]) == (None, True)
    assert (now["text"], now["note"]) == (block, None)


async def test_a_block_that_is_too_old_to_be_kept_is_not_shown(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    await keep(ada, user)
    asked = request(user, QUESTION)
    await engine.before(asked)
    await engine.ledger.caught_up()
    later = datetime.now(UTC) + BLOCKS_KEPT + timedelta(days=1)
    await engine.ledger.database.write(lambda connection: prune_blocks(connection, later))
    [found] = await blocks_of(ada, asked)
    assert (found["text"], "kept no more" in found["note"]) == (None, True)


async def test_a_block_is_shown_as_the_redactor_shows_it_today(
    engine: Engine, ada: httpx.AsyncClient, user: str
) -> None:
    await keep(ada, user)
    asked = request(user, QUESTION)
    await engine.before(asked)
    before = engine.settings
    learn = before.learn.model_copy(update={"redact_words": ("heron-42",)})
    engine.use(before.model_copy(update={"learn": learn}))
    try:
        [found] = await blocks_of(ada, asked)
    finally:
        engine.use(before)
    assert ("heron-42" in found["text"], "[REDACTED:" in found["text"]) == (False, True)


# --- preview ---

BODIES: Mapping[str, Mapping[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": QUESTION}]},
    "/v1/messages": {"max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}]},
    "/v1/responses": {"input": QUESTION},
    "/v1/completions": {"prompt": QUESTION},
    "/v1beta/models/gemini:generateContent": {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]},
    "/model/claude/converse": {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]},
    "/api/chat": {"messages": [{"role": "user", "content": QUESTION}]},
}


@pytest.mark.parametrize("path", BODIES)
async def test_a_preview_shows_what_any_wire_format_would_be_given(
    ada: httpx.AsyncClient, user: str, path: str
) -> None:
    memory = await keep(ada, user)
    asked = {"path": path, "headers": {"X-Memory-User-Id": user}, "body": BODIES[path]}
    shown = (await ada.post("/v1/preview", json=asked)).json()
    assert (shown["status"], shown["reason"], shown["count"]) == ("injected", "recalled", 1)
    assert FACT in shown["block"]
    assert FACT in json.dumps(shown["body"])
    assert why(shown["trace"], memory) is None
    assert shown["trace"]["blocks"] == []


async def test_a_preview_keeps_nothing(engine: Engine, ada: httpx.AsyncClient, user: str) -> None:
    body = {"messages": [{"role": "user", "content": FACT}]}
    await engine.ledger.caught_up()
    waiting = await engine.ledger.journal.unlearned()
    for _ in range(2):
        shown = (await ada.post("/v1/preview", json={"headers": {"x-memory-user-id": user}, "body": body})).json()
        assert (shown["status"], shown["reason"]) == ("empty", "nothing_relevant")
    await engine.ledger.caught_up()
    assert await engine.ledger.journal.unlearned() == waiting
    assert (await ada.get("/v1/traces", params={"user": user})).json()["data"] == []
    assert (await ada.get(f"/v1/namespaces/{user}")).status_code == 404


async def test_a_preview_of_what_memory_does_not_know_says_so(ada: httpx.AsyncClient) -> None:
    shown = (await ada.post("/v1/preview", json={"path": "/v1/embeddings", "body": {"input": "x"}})).json()
    assert (shown["status"], shown["reason"], shown["trace"]) == ("skipped", "unknown_shape", None)
