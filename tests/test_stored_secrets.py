"""Secrets that an older version kept as they were said are found wherever they lie, and redacted there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from sqlalchemy import JSON, Column, String
from typer.testing import CliRunner

from litellm_memory.cli import app
from litellm_memory.database.tables import metadata
from litellm_memory.engine import Engine
from litellm_memory.ledger import Trace
from litellm_memory.ledger.redaction import PLACES
from litellm_memory.models import Block, Caller, Exchange, Given, Memory, Scope
from litellm_memory.sidecar import create_app
from litellm_memory.store import memory_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEY = "AKIAQ3EGRL5XJ7PWN2TB"
SAID = f"Our key is {KEY} and it is old."


async def authenticate(headers: Mapping[str, str]) -> Caller:
    return Caller(master=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        await fill(opened)
        yield opened


async def fill(engine: Engine) -> None:
    """Puts a secret where an older version could have kept it, and the same into another partition."""
    ledger = engine.ledger
    for partition in ("default", "elsewhere"):
        scope = Scope(partition, "ada")
        space = scope.namespace
        memory = Memory(
            memory_id(space, "1", key=ledger.key),
            partition,
            "ada",
            SAID,
            "fact",
            NOW,
            reply=f"I see {KEY}.",
            tags=(KEY,),
        )
        await engine.memories.keep([memory])
        await ledger.removed.keep([replace(memory, id=memory_id(space, "2", key=ledger.key))])
        engine.journal.accept(Exchange(f"call-{partition}", scope, f"mark-{partition}", SAID, NOW))
        entry = f'<entry kind="fact">{SAID}</entry>'
        block = Block(f"mark-{partition}", f"<memory>\n{entry}\n</memory>", (Given(memory.id, entry, 9),))
        await engine.journal.blocks.freeze(block, namespace=space, call="call")
        # Of today: the keeper drops old ones.
        trace = Trace(
            f"trace-{partition}",
            datetime.now(UTC),
            partition,
            "ada",
            space,
            "injected",
            "recalled",
            route=f"/x?key={KEY}",
        )
        engine.journal.trace(trace)
    await engine.ledger.caught_up()


async def audit(engine: Engine, **asked: Any) -> dict[str, Any]:
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers={"x-api-key": "k"}
    ) as client:
        answer = await client.post("/v1/audit/secrets", json=asked, params={"partition": "default"})
    assert answer.status_code == 200, answer.text
    assert KEY not in answer.text
    return dict(answer.json())


async def kept(engine: Engine, partition: str) -> str:
    """All that the tables and the store say of a partition."""
    memories = await engine.memories.all(partition, None)
    blocks = await engine.journal.blocks.frozen([f"mark-{partition}"])
    rows = await engine.ledger.redaction.find(partition, ["ada"], lambda text: f"{text}.")
    return "\n".join([str(memories), str(blocks), *(row.before for row in rows)])


async def test_secrets_are_found_everywhere_and_nothing_is_changed_unasked(engine: Engine) -> None:
    found = await audit(engine)
    before = await kept(engine, "default")
    assert {place["place"]: (len(place["ids"]), sum(place["kinds"].values())) for place in found["data"]} == {
        "memories": (1, 3),
        "journal": (1, 1),
        "blocks": (1, 2),
        "traces": (1, 1),
        "removed": (1, 3),
    }
    assert (found["fixed"], found["job"]) == (False, None)
    assert KEY in before


async def test_what_is_found_is_redacted_where_it_lies_and_nowhere_else(engine: Engine) -> None:
    elsewhere = await kept(engine, "elsewhere")
    found = await audit(engine, fix=True)
    assert found["fixed"]
    async with asyncio.timeout(60):
        while (job := await engine.ledger.erasures.get("default", found["job"]["id"])) and job.progress != "done":
            await asyncio.sleep(0.05)
    await engine.memories.follow()
    assert KEY not in await kept(engine, "default")
    assert await audit(engine) == {"fixed": False, "data": [], "job": None}
    [memory] = await engine.memories.all("default", "ada")
    [block] = (await engine.journal.blocks.frozen(["mark-default"])).values()
    assert "[REDACTED:" in memory.text
    assert block.text == f"<memory>\n{block.given[0].text}\n</memory>"
    assert await kept(engine, "elsewhere") == elsewhere
    assert KEY in elsewhere


NO_WORDS_OF_ANYBODY = {
    *("facts.value", "answers.carried", "journal.worker", "jobs.problem", "traces.learned", "calls.error"),
    *("calls.finish_reason", "calls.provider", "figures.host", "figures.name", "figures.labels"),
    *("listed.call", "receipts.counts", "keepers.keeper"),
}
NAMES = {
    "listed.project",
    *("journal.scope", "journal.model", "unread.scope", "unread.model", "jobs.user", "jobs.session", "traces.user"),
    *(f"calls.{name}" for name in ("user", "client", "project", "model_asked", "model")),
    *(f"days.{name}" for name in ("user", "client", "project", "model")),
    *("paths.path", "paths.remote", "proposals.user"),
    # Redacted when they are told of, once an hour.
    *(f"holders.{name}" for name in ("user", "email", "alias", "team", "team_alias")),
}
"""Names by which rows are found and summed up: changed here, they would no longer be those of the next request."""


async def test_every_text_of_the_ledger_is_looked_through_for_secrets() -> None:
    """A new column that can hold a text belongs in a place of redaction, or in one of the two lists above."""
    row = SimpleNamespace(
        text="said",
        reply="said",
        given=[["id", "said", 1]],
        about={"project": "said"},
        data={"text": "said", "reply": "said", "tags": ["said"]},
    )
    redacted = {f"{place.table.name}.{column}" for place in PLACES for column in place.cleaned(row, str.upper)}
    columns = {str(column) for table in metadata.sorted_tables for column in table.columns if holds_text(column)}
    assert columns == redacted | NO_WORDS_OF_ANYBODY | NAMES


def holds_text(column: Column[Any]) -> bool:
    """A mark, an id, a hash or a word of ours has at most 64 characters."""
    return isinstance(column.type, JSON) or (
        isinstance(column.type, String) and (column.type.length is None or column.type.length > 64)
    )


async def test_the_command_redacts_what_was_kept_while_nothing_was(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    section = "model_list: []\nlitellm_memory: {{sidecar: {{port: 1}}, data_dir: data, learn: {{redact: {}}}}}\n"
    config.write_text(section.format("false"), encoding="utf-8")
    run, at = CliRunner(), ["--config", str(config)]
    # A command has an event loop of its own.
    added = await asyncio.to_thread(run.invoke, app, ["add", SAID, *at])
    config.write_text(section.format("true"), encoding="utf-8")
    fixed = await asyncio.to_thread(run.invoke, app, ["audit", "--fix", "secret", "--json", *at])
    assert (added.exit_code, fixed.exit_code) == (0, 0)
    told = json.loads(fixed.stdout)
    assert [place["place"] for place in told["data"]] == ["memories"]
    assert told["job"]["progress"] == "done"
    assert [file for file in files(tmp_path / "data") if KEY.encode() in file.read_bytes()] == []
    assert run.invoke(app, ["audit", "--fix", "everything", *at]).exit_code != 0


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
