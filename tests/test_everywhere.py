"""`--partition '*'`: an operator's commands go across all partitions and say whose each row is; a person's do not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from bed.engines import opened_engine
from bed.proxy import free_port
from click.testing import Result
from test_people import ADA, BOB, asks, partition
from typer.testing import CliRunner

from litellm_memory.cli import app
from litellm_memory.engine import Engine
from litellm_memory.models import Caller, Memory, memory_id, namespace
from litellm_memory.page import with_page
from litellm_memory.sidecar import create_app, serve
from litellm_memory.terminal.print import passing, table, with_owner

KEYS = {"sk-master": Caller(master=True), "sk-ada": ADA, "sk-bob": BOB}
SECRET = "AKIAQ3EGRL5XJ7PWN2TB"
DAY = timedelta(days=1)
NOW = datetime.now(UTC)
KEPT = (
    (ADA, "Our staging database is called heron-42.", {"user": "ada", "created": NOW - 3 * DAY}),
    (BOB, "Our staging database is called heron-42.", {"created": NOW - 2 * DAY}),
    (BOB, "The lease of the heron house ends in March.", {"created": NOW - DAY}),
    (ADA, "The heron came on a Monday.", {"user": "guest", "created": NOW - 400 * DAY}),
)


async def verify(headers: Mapping[str, str]) -> Caller:
    return KEYS[headers["authorization"].removeprefix("Bearer ")]


@dataclass(frozen=True)
class Team:
    """A sidecar of several people that listens, and a config that names it."""

    engine: Engine
    client: httpx.AsyncClient
    config: Path

    async def run(self, *arguments: str, key: str = "sk-master", answer: str = "") -> Result:
        """What a command prints across all partitions."""
        given = [*arguments, "--partition", "*", "--config", str(self.config)]
        environment = {"LITELLM_MASTER_KEY": key, "COLUMNS": "200"}
        return await asyncio.to_thread(CliRunner().invoke, app, given, env=environment, input=answer)

    async def told(self, *arguments: str, key: str = "sk-master") -> Any:
        """What it prints as JSON; it has to end well."""
        result = await self.run(*arguments, "--json", key=key)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    async def held(self, caller: Caller) -> list[str]:
        asked = {"partition": partition(caller)}
        rows = (await self.client.get("/v1/memories", params=asked)).raise_for_status().json()["data"]
        return [row["text"] for row in rows]


@pytest_asyncio.fixture
async def team(tmp_path: Path) -> AsyncIterator[Team]:
    port, config = free_port(), tmp_path / "config.yaml"
    section = {"sidecar": {"port": port}, "retention": {"max_age_days": 365}}
    config.write_text(yaml.safe_dump({"litellm_memory": section}))
    async with opened_engine(tmp_path / "data", sidecar={"port": port}) as engine:
        for caller in (ADA, BOB):
            await asks(engine, caller, "Hello.", id=f"hello-{caller.user}")
        await engine.ledger.caught_up()
        engine.spawn(serve(with_page(create_app(engine, authenticate=verify)), engine))
        headers = {"authorization": "Bearer sk-master"}
        address = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=address, trust_env=False, verify=False, headers=headers) as client:
            async with asyncio.timeout(10):
                while not await answers(client):
                    await asyncio.sleep(0.02)
            for caller, text, more in KEPT:
                body = {"text": text, **more, "created": more["created"].isoformat()}
                asked = {"partition": partition(caller)}
                added = (await client.post("/v1/memories", params=asked, json=body)).raise_for_status().json()["id"]
                # As if it had been added when it was said.
                await engine.memories.correct(partition(caller), added, lambda memory: replace(memory, kept=None))
            yield Team(engine, client, config)


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(("is_terminal", "shown"), [(True, "\rpartition 1 of 2\x1b[K\r\x1b[K"), (False, "")])
def test_a_terminal_is_told_how_far_it_is_and_a_pipe_is_not(
    is_terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    passing("partition 1 of 2")
    passing("")
    assert capsys.readouterr().err == shown


def whose(rows: list[dict[str, Any]]) -> list[str]:
    return [row["label"] for row in rows]


async def test_a_list_of_all_partitions_is_newest_first_and_each_row_says_whose_it_is(team: Team) -> None:
    rows = await team.told("list")
    assert whose(rows) == ["u-2", "u-2", "ada@example.org", "ada@example.org"]
    assert {(row["label"], row["partition"]) for row in rows} == {
        ("ada@example.org", partition(ADA)),
        ("u-2", partition(BOB)),
    }
    assert [row["text"] for row in rows] == [text for _, text, _ in (KEPT[2], KEPT[1], KEPT[0], KEPT[3])]
    assert await team.told("list", "--limit", "3") == rows[:3]
    assert await team.told("list", "--grep", "MONDAY") == rows[3:]
    lines = (await team.run("list")).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [partition(one) for one in (BOB, BOB, ADA, ADA)]


def test_a_terminal_shows_the_names_of_the_holders(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    found = [{"partition": "5f" * 16, "label": "ada@example.org"}, {"partition": "6e" * 16, "label": None}]
    table(*with_owner(("text",), [["one"], ["two"]], found), empty="")
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown == [["whose", "text"], ["ada@example.org", "one"], ["6e6e6e6e", "two"]]


async def test_a_search_of_all_partitions_finds_every_users_and_the_best_come_first(team: Team) -> None:
    found = await team.told("search", "What is the staging database called?", "--min-score", "0")
    scores = [row["score"] for row in found]
    assert (len(found), scores) == (4, sorted(scores, reverse=True))
    assert {(row["label"], row["memory"]["user"]) for row in found} >= {
        ("ada@example.org", "ada"),
        ("ada@example.org", "guest"),
        ("u-2", "default"),
    }
    assert len(await team.told("search", "staging database", "--limit", "1")) == 1


async def test_one_memory_or_trace_is_found_in_whichever_partition_it_is(team: Team) -> None:
    [row] = [row for row in await team.told("list") if row["text"] == KEPT[3][1]]
    assert (await team.told("show", row["id"]))["partition"] == partition(ADA)
    assert (await team.told("edit", row["id"][16:24], "--tag", "bird"))["tags"] == ["bird"]
    traces = await team.told("trace")
    assert sorted(whose(traces)) == ["ada@example.org", "u-2"]
    assert (await team.told("trace", "hello-u-2"))["partition"] == partition(BOB)
    assert (await team.run("trace", "nobodys")).exit_code == 1


async def test_what_waits_is_listed_for_all_and_decided_where_it_is(team: Team) -> None:
    for caller in (ADA, BOB):
        [first, *_] = (await team.client.get("/v1/memories", params={"partition": partition(caller)})).json()["data"]
        path, asked = f"/v1/memories/{first['id']}", {"partition": partition(caller)}
        (await team.client.patch(path, params=asked, json={"review": "odd"})).raise_for_status()
    waiting = await team.told("review")
    assert sorted(whose(waiting)) == ["ada@example.org", "u-2"]
    await team.told("review", waiting[0]["id"], "--accept")
    assert [row["id"] for row in await team.told("review")] == [waiting[1]["id"]]


async def test_an_export_of_all_has_every_line_of_everybody(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "all.ndjson"
    result = await team.run("export", "--to", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted((line["partition"], line["text"]) for line in lines) == sorted(
        (partition(caller), text) for caller, text, _ in KEPT
    )
    assert f"{len(KEPT)} lines were written." in result.stderr
    held = (await team.run("export", "--everything")).stdout.splitlines()
    assert {json.loads(line)["part"] for line in held} >= {"memory", "trace"}


async def test_usage_of_all_is_what_an_operator_gets_without_a_name(team: Team) -> None:
    assert (
        await team.told("usage", "--by", "partition")
        == (await team.client.get("/v1/usage", params={"by": "partition", "partition": "*"}))
        .raise_for_status()
        .json()["data"]
    )


async def test_an_audit_of_all_says_whose_and_forgets_nothing_unasked(team: Team) -> None:
    for session in ("monday", "tuesday"):
        twin = {"text": "The fair is in hall 4.", "session": session}
        (await team.client.post("/v1/memories", params={"partition": partition(BOB)}, json=twin)).raise_for_status()
    found = await team.told("audit")
    assert {(flaw["label"], flaw["problem"]) for flaw in found["flaws"]} >= {
        ("u-2", "duplicate"),
        ("ada@example.org", "unused"),
    }
    before = [await team.held(one) for one in (ADA, BOB)]
    refused = await team.run("audit", "--fix", "duplicate", "--fix", "unused", answer="n\n")
    unasked = await team.run("audit", "--fix", "unused", "--json")
    assert (refused.exit_code, unasked.exit_code) == (1, 1)
    assert "ada@example.org: unused: The heron came on a Monday." in refused.stderr
    assert [await team.held(one) for one in (ADA, BOB)] == before
    await team.told("audit", "--fix", "unused", "--yes")
    assert await team.held(ADA) == [KEPT[0][1]]


async def test_secrets_of_all_are_found_by_name_and_redacted_only_after_asking(team: Team) -> None:
    for caller in (ADA, BOB):
        held = namespace(partition(caller), "default")
        named = memory_id(held, "1", key=team.engine.ledger.key)
        secret = Memory(named, partition(caller), "default", f"The key is {SECRET}.", "fact", NOW)
        await team.engine.memories.keep([secret])
    found = await team.told("audit", "--secrets")
    assert (found["fixed"], sorted(whose(found["data"]))) == (False, ["ada@example.org", "u-2"])
    refused = await team.run("audit", "--fix", "secret", answer="n\n")
    unasked = await team.run("audit", "--fix", "secret", "--json")
    assert (refused.exit_code, unasked.exit_code, SECRET in refused.output) == (1, 1, False)
    assert whose((await team.told("audit", "--secrets"))["data"]) == whose(found["data"])
    fixed = await team.told("audit", "--fix", "secret", "--yes")
    assert [job["progress"] for job in fixed["jobs"]] == ["done", "done"]
    assert (await team.told("audit", "--secrets"))["data"] == []


async def test_retention_of_all_is_shown_and_asked_before_anything_goes(team: Team) -> None:
    shown = await team.run("retention", "--dry-run")
    assert [line.split("\t")[0] for line in shown.stdout.splitlines()] == [partition(ADA)]
    refused = await team.run("retention", answer="n\n")
    assert (refused.exit_code, "ada@example.org: The heron" in refused.stderr) == (1, True)
    assert len(await team.held(ADA)) == 2
    assert (await team.told("retention", "--yes"))["skipped"] == []
    assert (await team.held(ADA), len(await team.held(BOB))) == ([KEPT[0][1]], 2)


async def test_many_are_forgotten_in_all_partitions_once_that_is_agreed_to_and_brought_back(team: Team) -> None:
    refused = await team.run("forget", "--grep", "heron-42", answer="n\n")
    assert refused.exit_code == 1
    assert [len(await team.held(one)) for one in (ADA, BOB)] == [2, 2]
    gone = (await team.told("forget", "--grep", "heron-42", "--yes"))["ids"]
    assert [len(await team.held(one)) for one in (ADA, BOB)] == [1, 1]
    for one in gone:
        await team.told("undo", one)
    assert [len(await team.held(one)) for one in (ADA, BOB)] == [2, 2]


async def test_a_person_who_asks_for_all_gets_their_own(team: Team) -> None:
    assert {row["partition"] for row in await team.told("list", key="sk-bob")} == {partition(BOB)}
    assert {row["label"] for row in await team.told("search", "heron", "--min-score", "0", key="sk-bob")} == {"u-2"}
    assert whose(await team.told("trace", key="sk-bob")) == ["u-2"]
    assert await team.told("usage", "--by", "partition", key="sk-bob") == []
    lines = (await team.run("export", key="sk-bob")).stdout.splitlines()
    assert {json.loads(line)["partition"] for line in lines} == {partition(BOB)}
    assert {flaw["label"] for flaw in (await team.told("audit", key="sk-bob"))["flaws"]} <= {"u-2"}
    assert (await team.told("forget", "--grep", "Monday", "--yes", key="sk-bob"))["ids"] == []


async def test_what_acts_in_one_partition_says_so(team: Team) -> None:
    for command in (("add", "The office is in Lisbon."), ("pause", "recall"), ("forget", "--all", "--yes")):
        result = await team.run(*command)
        assert (result.exit_code, "acts in one partition" in result.stderr) == (1, True)
    assert [len(await team.held(one)) for one in (ADA, BOB)] == [2, 2]
