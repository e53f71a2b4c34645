"""What an operator is told about the recall of his own store: from traces, and nothing that cannot be known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.recall_set import facts
from typer.testing import CliRunner

from litellm_memory.care.evaluation import question_of
from litellm_memory.cli import app
from litellm_memory.cli.inside import client_inside
from litellm_memory.engine import Engine, Request
from litellm_memory.extract.answers import is_used
from litellm_memory.ledger import Learned, Trace, TracedMemory
from litellm_memory.models import Caller, Memory, Reply, Superseded

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OFFICE = Memory("office", "p", "ada", "Our office is in Lisbon.", "fact", NOW)
MOVED = Memory("moved", "p", "ada", "Our office is in Porto.", "fact", NOW)
MESSAGE = Memory(
    "message", "p", "ada", "Which city is our office in?", "episode", NOW, message="m", reply="It is in Lisbon."
)
TRACE = Trace(
    "call",
    NOW,
    "p",
    "ada",
    "n",
    "injected",
    "recalled",
    kind="person",
    candidates=(TracedMemory("office", 0.8), TracedMemory("far", 0.3, left_out="threshold")),
    learned=(Learned("kept", memory="message", kind="episode"),),
)


def known(*memories: Memory) -> dict[str, Memory]:
    return {memory.id: memory for memory in (MESSAGE, *memories)}


@pytest.mark.parametrize(
    ("answer", "used"),
    [
        ("Your office is in Lisbon.", True),
        ("I do not know which office you mean.", False),
        ("It is in the city.", False),
    ],
)
def test_an_answer_used_what_it_says_and_the_question_did_not(answer: str, used: bool) -> None:
    assert is_used(OFFICE.text, MESSAGE.text, answer) is used


def test_a_question_is_answered_by_what_its_answer_used() -> None:
    found = question_of(TRACE, known(OFFICE), NOW)
    assert found is not None
    assert (found.text, found.answers, found.corrected) == (MESSAGE.text, frozenset({"office"}), False)


def test_what_has_been_corrected_since_is_answered_by_the_correction() -> None:
    corrected = replace(OFFICE, superseded_by=Superseded("moved", "said anew"))
    found = question_of(TRACE, known(corrected, MOVED), NOW)
    assert found is not None
    assert (found.answers, found.corrected) == (frozenset({"moved"}), True)


@pytest.mark.parametrize(
    "memories",
    [
        {"message": replace(MESSAGE, reply=None), "office": OFFICE},
        {"message": replace(MESSAGE, reply="I cannot tell."), "office": OFFICE},
        {"message": MESSAGE},
        {"office": OFFICE},
        {"message": MESSAGE, "office": replace(OFFICE, valid_until=NOW)},
        {"message": MESSAGE, "office": replace(OFFICE, kind="instruction")},
    ],
    ids=["answer not kept", "nothing used", "forgotten", "words not kept", "over", "always given"],
)
def test_a_request_of_which_nothing_can_be_known_is_no_question(memories: dict[str, Memory]) -> None:
    assert question_of(TRACE, memories, NOW) is None


@pytest_asyncio.fixture
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data"), recall={"deadline_ms": 5000, "process": False}) as opened:
        yield opened


async def ask(engine: Engine, number: int, question: str, answer: str) -> None:
    """One conversation of ada's, with its answer."""
    body = {"model": "gpt", "messages": [{"role": "user", "content": question}]}
    headers = {"x-memory-user-id": "ada"}
    caller = Caller(master=True)
    asked = Request(f"call-{number}", "acompletion", "/v1/chat/completions", headers, body, caller, ("gpt",))
    engine.after(await engine.before(asked), lambda: Reply(answer, complete=True), size=len(answer))


async def evaluated(engine: Engine, *, requests: int) -> Any:
    """The evaluation, once so many requests are learned from."""
    async with client_inside(engine) as client, asyncio.timeout(60):
        while not await all_learned(client, requests):
            await asyncio.sleep(0.05)
        return (await client.get("/v1/evaluation")).raise_for_status().json()


async def all_learned(client: httpx.AsyncClient, requests: int) -> bool:
    rows = (await client.get("/v1/memories", params={"limit": 1000})).json()["data"]
    return sum(row["kind"] == "episode" for row in rows) >= requests


async def test_what_answers_used_is_found_again_and_a_few_questions_say_nothing(engine: Engine) -> None:
    told = facts()[:20]
    async with client_inside(engine) as client:
        for fact, _ in told:
            (await client.post("/v1/memories", json={"text": fact, "user": "ada"})).raise_for_status()
    for number, (fact, question) in enumerate(told[:3]):
        await ask(engine, number, f"The plumber rang at noon and the kettle is leaking again. {question}", fact)
    few = await evaluated(engine, requests=3)
    assert few["rows"] == [{**dict.fromkeys(few["rows"][0]), "questions": "all", "count": 3}]
    for number, (fact, question) in enumerate(told[3:], 3):
        await ask(engine, number, f"The plumber rang at noon and the kettle is leaking again. {question}", fact)
    found = await evaluated(engine, requests=len(told))
    assert (found["requests"], found["questions"], found["fewest"]) == (20, 20, 20)
    [row] = found["rows"]
    assert {name: row[name] for name in ("questions", "count", "first_10", "in_block", "given_something")} == {
        "questions": "all",
        "count": 20,
        "first_10": 100.0,
        "in_block": 100.0,
        "given_something": 100.0,
    }


def test_the_command_says_when_there_is_too_little_to_say(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = tmp_path_factory.mktemp("proxy") / "config.yaml"
    config.write_text("model_list: []\nlitellm_memory: {sidecar: {port: 1}}\n", encoding="utf-8")
    said, printed = (CliRunner().invoke(app, ["eval", "--config", str(config), *more]) for more in ([], ["--json"]))
    assert said.stdout == (
        "There is too little to say: 0 of 0 requests that were given memories can be asked again, and it takes 20.\n"
    )
    nothing = {**dict.fromkeys(json.loads(printed.stdout)["rows"][0]), "questions": "all", "count": 0}
    assert json.loads(printed.stdout) == {"requests": 0, "questions": 0, "fewest": 20, "rows": [nothing]}
