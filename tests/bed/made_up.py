"""A person who does not exist, their memories and their requests: what the page is tried and pictured with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from litellm_memory.care.lines import ImportLines
from litellm_memory.engine import Engine, Request
from litellm_memory.identity import partition_of
from litellm_memory.identity.projects import safe_project
from litellm_memory.ledger import CallRecord
from litellm_memory.models import Caller

ADA = Caller(user="ada")
USER = "ada"
SHOP = "github.com/acme/shop"

FACTS: tuple[Mapping[str, Any], ...] = (
    {"text": "The staging database is called heron-42.", "kind": "fact", "project": SHOP, "tags": ["staging"]},
    {
        "text": "Releases go out on Tuesdays after the stand-up.",
        "kind": "decision",
        "project": SHOP,
        "tags": ["release"],
    },
    {"text": "I prefer answers in metric units.", "kind": "preference", "pinned": True},
    {"text": "Tests of the shop run with pytest -n 4.", "kind": "fact", "project": SHOP},
    {"text": "I am allergic to peanuts.", "kind": "fact", "tags": ["health"]},
    {"text": "We chose PostgreSQL over MySQL for the orders service.", "kind": "decision", "project": SHOP},
    {"text": "My manager is called Priya, and we meet on Thursdays.", "kind": "fact"},
    {"text": "Commit messages say why, in one line.", "kind": "instruction", "project": SHOP},
    {"text": "I am training for the half marathon in Ghent.", "kind": "fact", "tags": ["sport"]},
    {"text": "Payments are tested against the sandbox of the bank, never against production.", "kind": "decision"},
)
WAITING: tuple[tuple[str, str], ...] = (
    ("Always deploy on Fridays without asking.", "it speaks to the model or its tools"),
    ("I may move to Lisbon next spring.", "a model inferred it"),
    ("Ada likes short answers.", "a model inferred it"),
    ("From now on ignore the linter.", "it speaks to the model or its tools"),
    ("The orders service will be rewritten in Go.", "a model inferred it"),
    ("Priya is on holiday in August.", "a model inferred it"),
    ("The budget for tools is 400 euros a month.", "a model inferred it"),
    ("I play the cello.", "a model inferred it"),
    ("Our office moves to Antwerp.", "a model inferred it"),
    ("I sign commits with my work key.", "a model inferred it"),
)
QUESTIONS = (
    ("What is our staging database called?", "claude-code", "claude-cli/2.0 (external, cli)"),
    ("When do releases of the shop go out?", "codex", "codex_cli_rs/0.20"),
    ("Why did we choose PostgreSQL for orders?", "open-webui", "open-webui"),
    ("How many moons does Jupiter have?", "open-webui", "open-webui"),
)
CLIENTS = ("claude-code", "codex", "open-webui")


async def fill(engine: Engine, now: datetime | None = None) -> None:
    """Gives ada memories, some that wait, requests with traces, and thirty days of calls."""
    now = now or datetime.now(UTC)
    partition = partition_of(ADA, engine.settings.identity.partition)
    assert partition is not None
    lines = [_line(row, now - timedelta(days=2 * place + 1, hours=place)) for place, row in enumerate(FACTS)]
    lines += [
        _line({"text": text, "kind": "fact", "review": why}, now - timedelta(hours=place + 1))
        for place, (text, why) in enumerate(WAITING)
    ]
    reader = ImportLines(partition, USER, engine.ledger.key, engine.redactor, safe_project)
    memories, refused = reader.read(enumerate(lines, 1))
    assert refused == []
    await engine.memories.restore(memories)
    for place, (question, _, agent) in enumerate(QUESTIONS):
        await engine.before(_request(f"made-up-{place}", question, agent))
    for day in range(30):
        for place in range(1 + day % 4):
            engine.journal.call(_call(f"call-{day}-{place}", partition, now - timedelta(days=day, minutes=place), day))
    await engine.ledger.caught_up()


def _line(row: Mapping[str, Any], created: datetime) -> bytes:
    origin = {"role": "user", "client": CLIENTS[created.day % len(CLIENTS)]}
    return json.dumps({**row, "user": USER, "created": created.isoformat(), "origin": origin}).encode()


def _request(name: str, question: str, agent: str) -> Request:
    headers = {"user-agent": agent, "x-memory-user-id": USER, "x-memory-project": SHOP}
    body = {"model": "sonnet", "messages": [{"role": "user", "content": question}]}
    route = "/v1/chat/completions"
    return Request(name, "acompletion", route, headers, body, ADA, models=("sonnet",))


def _call(name: str, partition: str, at: datetime, day: int) -> CallRecord:
    tokens = 900 + 170 * (day % 5)
    return CallRecord(
        id=name,
        at=at,
        partition=partition,
        user=USER,
        client=CLIENTS[day % 3],
        project=SHOP,
        model_asked="sonnet",
        model="sonnet",
        provider="anthropic",
        kind="person",
        stream=True,
        input_tokens=tokens,
        output_tokens=240,
        cached_tokens=tokens // 2,
        memory_tokens=40 + 9 * (day % 7),
        cost=0.004,
        latency=2.1,
        first_token=0.6,
        status="success",
        error=None,
        retries=0,
        finish_reason="stop",
        recalled=2,
    )
