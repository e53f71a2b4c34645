"""Partitions have names, people have switches of their own, and all that is held on one is handed over or erased."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from test_erasure import ADA as PERSON
from test_erasure import BERT, SECRETS, call, fill

from litellm_memory.database.people import LONGEST_LABEL
from litellm_memory.database.tables import metadata
from litellm_memory.engine import Engine, Request
from litellm_memory.errors import NotFoundError
from litellm_memory.identity import partition_of
from litellm_memory.ledger import AmbiguousNameError, Ledger
from litellm_memory.models import Caller, Exchange, Scope
from litellm_memory.people import switches as switches_module
from litellm_memory.people.held import PARTS, TOLD_BY_OTHERS
from litellm_memory.people.holders import named_by, note_holders
from litellm_memory.people.switches import Allowance
from litellm_memory.redact import Redactor
from litellm_memory.settings import Settings
from litellm_memory.sidecar import create_app

ADA = Caller(
    user="u-1", email="ada@example.org", key="1" * 64, key_alias="ada-laptop", team="t-1", team_alias="Engines"
)
ADA_TOO = Caller(user="u-1", email="ada@example.org", key="2" * 64, key_alias="ada-ci", team="t-2", team_alias="Looms")
BOB = Caller(user="u-2", key="3" * 64, key_alias="bob")
EVE = Caller(user="u-3", key="4" * 64, key_alias="bob")
KEYS = {"ada": ADA, "bob": BOB, "eve": EVE, "master": Caller(master=True)}


def partition(caller: Caller) -> str:
    found = partition_of(caller, "user")
    assert found is not None
    return found


async def asks(engine: Engine, caller: Caller, text: str, *, id: str = "call", **headers: str) -> Any:
    """What became of a request of this caller."""
    body = {"model": "gpt", "messages": [{"role": "user", "content": text}]}
    return await engine.before(Request(id, "acompletion", "/v1/chat/completions", headers, body, caller, ("gpt",)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        for number, caller in enumerate((ADA, ADA_TOO, BOB, EVE)):
            await asks(opened, caller, f"I collect stamps of series {number}.", id=f"call-{number}")
        await opened.ledger.caught_up()
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(engine: Engine) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A client of the sidecar for each key."""

    async def verify(headers: Mapping[str, str]) -> Caller:
        return KEYS[headers["authorization"].removeprefix("Bearer ")]

    transport = httpx.ASGITransport(create_app(engine, authenticate=verify), client=("127.0.0.1", 1))
    async with AsyncExitStack() as clients:
        yield {
            name: await clients.enter_async_context(
                httpx.AsyncClient(
                    transport=transport, base_url="http://localhost", headers={"authorization": f"Bearer {name}"}
                )
            )
            for name in KEYS
        }


# --- names ---


@pytest.mark.asyncio(loop_scope="module")
async def test_an_operator_sees_whose_each_partition_is(doors: dict[str, httpx.AsyncClient]) -> None:
    rows = (await doors["master"].get("/v1/partitions")).raise_for_status().json()["data"]
    held = {row["partition"]: row for row in rows}
    ada = held[partition(ADA)]
    assert (ada["label"], set(ada["teams"]), set(ada["keys"])) == (
        "ada@example.org",
        {"Engines", "Looms"},
        {"ada-laptop", "ada-ci"},
    )
    assert {held[partition(one)]["label"] for one in (BOB, EVE)} == {"u-2", "u-3"}
    assert all(row["last_seen"] for row in rows)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_person_sees_their_own_partition_alone(doors: dict[str, httpx.AsyncClient]) -> None:
    rows = (await doors["ada"].get("/v1/partitions")).raise_for_status().json()["data"]
    assert [row["partition"] for row in rows] == [partition(ADA)]
    tried = [
        await doors["ada"].get("/v1/memories", params={"partition": name})
        for name in (partition(BOB), "bob", "u-2", "ada@example.org", "nope")
    ]
    tried += [
        await doors["ada"].get("/v1/export/person", params={"partition": partition(BOB)}),
        await doors["ada"].get("/v1/me", params={"partition": "u-2"}),
        await doors["ada"].put("/v1/me", params={"partition": partition(BOB)}, json={"recall": {"paused": True}}),
    ]
    assert {answer.status_code for answer in tried} == {404}
    named = [
        await doors["ada"].post("/v1/people", json={"name": "u-1"}),
        await doors["ada"].post("/v1/people/erase", json={"name": "u-1", "confirmed": [partition(ADA)]}),
    ]
    assert [answer.status_code for answer in named] == [403, 403]


@pytest.mark.parametrize(
    "name", ["ada@example.org", "ADA@Example.org ", "u-1", "ada-ci", partition(ADA), partition(ADA)[:8]]
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_partition_is_named_by_its_id_or_a_name_of_its_holder(name: str, engine: Engine) -> None:
    assert await engine.ledger.people.register.partition(name) == partition(ADA)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_name_of_several_is_refused_with_the_list_and_an_unknown_one_is_not_found(
    doors: dict[str, httpx.AsyncClient], engine: Engine
) -> None:
    several = await doors["master"].get("/v1/memories", params={"partition": "bob"})
    unknown = await doors["master"].get("/v1/memories", params={"partition": "nope"})
    assert (several.status_code, unknown.status_code) == (409, 404)
    told = several.json()["error"]["message"]
    assert all(part in told for part in (partition(BOB), partition(EVE), "u-2", "u-3"))
    with pytest.raises(AmbiguousNameError):
        await engine.ledger.people.register.places("bob")
    with pytest.raises(NotFoundError):
        await engine.ledger.people.register.places("nope")


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_client_writes_names_nobody(engine: Engine) -> None:
    await asks(
        engine, BOB, "I keep bees.", id="spoof", **{"x-memory-user-id": "ada@example.org", "x-openwebui-user-id": "ada"}
    )
    await engine.ledger.caught_up()
    labels = await engine.ledger.people.register.labels()
    assert labels[partition(BOB)] == "u-2"


def test_a_label_is_one_line_without_secrets_or_unseen_signs_and_bounded() -> None:
    clean = Redactor().text
    named = named_by(Caller(user="ada\u202e\x07\nlovelace", email="AKIAQ3EGRL5XJ7PWN2TB", team="t" * 500), clean)
    assert named["user"] == "ada lovelace"
    assert "AKIA" not in str(named["email"])
    assert named["team"] == "t" * LONGEST_LABEL


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_is_told_of_once_an_hour_and_again_when_its_names_change(engine: Engine) -> None:
    people, now = engine.ledger.people, datetime(2030, 1, 1, 12, 5, tzinfo=UTC)
    renamed = Caller(user="u-1", key="1" * 64, key_alias="ada-desk")
    told = [(ADA, now), (ADA, now), (renamed, now), (ADA, now + timedelta(hours=1)), (Caller(master=True), now)]
    assert [people.is_news(caller, at) for caller, at in told] == [True, False, True, True, False]


@pytest.mark.asyncio(loop_scope="module")
async def test_usage_is_summed_by_partition_key_and_team(doors: dict[str, httpx.AsyncClient], engine: Engine) -> None:
    for number, (caller, cost) in enumerate(((ADA, 1.0), (ADA_TOO, 2.0), (BOB, 4.0))):
        made = call(Scope(partition(caller), f"by {number}"))
        engine.journal.call(replace(made, id=f"paid {number}", cost=cost, key=partition_of(caller, "key")))
    await engine.ledger.caught_up()

    async def costs(who: str, by: str, **params: str) -> dict[str | None, float]:
        rows = (await doors[who].get("/v1/usage", params={"by": by, **params})).raise_for_status().json()["data"]
        return {row["label"]: row["cost"] for row in rows}

    assert await costs("master", "partition") == {"u-2": 4.0, "ada@example.org": 3.0}
    assert await costs("master", "key") == {"bob": 4.0, "ada-ci": 2.0, "ada-laptop": 1.0}
    assert await costs("master", "team") == {None: 4.0, "Looms": 2.0, "Engines": 1.0}
    assert await costs("master", "key", partition="u-1") == {"ada-ci": 2.0, "ada-laptop": 1.0}
    assert await costs("ada", "partition") == {"ada@example.org": 3.0}
    assert await costs("ada", "team") == {"Looms": 2.0, "Engines": 1.0}


# --- switches ---


@pytest.mark.asyncio(loop_scope="module")
async def test_a_person_pauses_recall_and_learning_and_is_told_who_said_so(
    doors: dict[str, httpx.AsyncClient], engine: Engine
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    paused = {"recall": {"paused": True}, "learn": {"paused": True, "until": ends.isoformat()}}
    told = (await doors["eve"].put("/v1/me", json=paused)).raise_for_status().json()
    off = {"allowed": False, "by": "person", "until": None, "policy": None, "policy_from": None, "agreed": False}
    assert told["recall"] == off
    assert (told["learn"]["allowed"], datetime.fromisoformat(told["learn"]["until"])) == (False, ends)
    asked = await asks(engine, EVE, "I moved to Porto.", id="paused")
    assert (asked.status, asked.reason, asked.acceptance.learns) == ("off", "paused", False)
    other = await asks(engine, BOB, "I moved to Faro.", id="not paused")
    assert (other.reason == "paused", other.acceptance.learns) == (False, True)
    resumed = {"recall": {"paused": False}, "learn": {"paused": False}}
    assert (await doors["eve"].put("/v1/me", json=resumed)).json()["learn"]["allowed"] is True
    assert (await asks(engine, EVE, "I moved to Evora.", id="resumed")).acceptance.learns is True


@pytest.mark.asyncio(loop_scope="module")
async def test_another_worker_follows_a_switch_and_a_new_one_begins_with_it(tmp_path: Path) -> None:
    scope, now = Scope("p", "ada"), datetime.now(UTC)
    one, other = (Ledger.open(f"sqlite:///{tmp_path}/ledger.db") for _ in range(2))
    try:
        await one.people.switches.pause("p", "ada", "recall", None)
        await other.people.switches.follow()
        third = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
        asked = [each.people.switches.standing(scope, Caller(), now, Settings()) for each in (other, third)]
        assert [(found.recall, found.learn) for found in asked] == [(Allowance(False, "person"), Allowance())] * 2
        await third.people.switches.resume("p", "ada", "recall")
        await other.people.switches.follow()
        assert other.people.switches.standing(scope, Caller(), now, Settings()).recall == Allowance()
        await third.aclose()
    finally:
        await one.aclose()
        await other.aclose()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pause_ends_at_its_time_and_nobody_lifts_anothers_no(tmp_path: Path) -> None:
    scope, now = Scope("p", "ada"), datetime.now(UTC)
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    try:
        switches, later = ledger.people.switches, now + timedelta(minutes=5)
        await switches.pause("p", "ada", "learn", later)
        at = [switches.standing(scope, Caller(), moment, Settings()).learn for moment in (now, later)]
        assert at == [Allowance(False, "person", later), Allowance()]
        off = switches.standing(scope, Caller(inject=False), now, Settings(remember=False))
        assert (off.recall, off.learn) == (Allowance(False, "key"), Allowance(False, "settings"))
    finally:
        await ledger.aclose()


async def test_a_partition_has_a_limited_number_of_pauses_that_hold(
    doors: dict[str, httpx.AsyncClient], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches_module, "MOST_SET", 3)
    whose, over = partition(BOB), datetime.now(UTC) - timedelta(seconds=1)
    await engine.ledger.people.switches.pause(whose, "long ago", "learn", over)

    async def paused(user: str, key: str = "bob") -> int:
        answer = await doors[key].put("/v1/me", params={"user": user}, json={"learn": {"paused": True}})
        return answer.status_code

    assert [await paused(f"user-{number}") for number in range(4)] == [200, 200, 200, 429]
    assert [await paused("user-0"), await paused("user-0", "eve")] == [200, 200]
    for number in range(3):
        await doors["bob"].put("/v1/me", params={"user": f"user-{number}"}, json={"learn": {"paused": False}})
    await doors["eve"].put("/v1/me", params={"user": "user-0"}, json={"learn": {"paused": False}})


# --- what is held, and erasing it ---


def test_every_table_is_handed_over_or_says_why_not() -> None:
    """A new table belongs in one of the two of ``people/held.py``."""
    handed = {table.name for table, _ in PARTS.values()}
    assert handed.isdisjoint(TOLD_BY_OTHERS)
    assert {table.name for table in metadata.sorted_tables} == handed | set(TOLD_BY_OTHERS)


@pytest.mark.asyncio(loop_scope="module")
async def test_all_that_is_held_on_a_person_is_handed_over_and_nothing_of_another(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        for seed, scope in enumerate((PERSON, BERT)):
            await fill(engine, scope, *SECRETS[:3], seed=seed)
        await engine.ledger.people.switches.pause("p", PERSON.user, "recall", None)
        app = create_app(engine, authenticate=master)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers={"authorization": "Bearer k"}
        ) as client:
            one = await client.get("/v1/export/person", params={"partition": "p", "user": PERSON.user})
            every = await client.get("/v1/export/person", params={"partition": "p"})
    lines = [json.loads(line) for line in one.text.splitlines()]
    of_one = {"memory", "holder", "switch", "unread", "removed", "block", "answer", "trace", "call", "day", "path"}
    assert {line["part"] for line in lines} - {"waiting"} == of_one
    assert sum(line["part"] == "memory" for line in lines) == 3
    assert [word in one.text for word in (BERT.user, BERT.namespace)] == [False, False]
    assert (BERT.user in every.text, PERSON.user in every.text) == (True, True)


async def master(headers: Mapping[str, str]) -> Caller:
    return Caller(master=True)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_leaver_is_erased_by_name_once_every_place_is_confirmed_and_the_receipt_names_nobody(
    tmp_path: Path,
) -> None:
    async with opened_engine(tmp_path) as engine:
        for number, caller in enumerate((ADA, BOB)):
            await asks(engine, caller, "I collect stamps of Laos.", id=f"call-{number}")
        await engine.ledger.caught_up()
        transport = httpx.ASGITransport(create_app(engine, authenticate=master), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers={"authorization": "Bearer k"}
        ) as client:
            places = (await client.post("/v1/people", json={"name": "ada@example.org"})).json()["data"]
            assert [(place["id"], place["label"]) for place in places] == [(partition(ADA), "ada@example.org")]
            for confirmed in ([], [partition(BOB)], [partition(ADA), partition(BOB)]):
                unsure = await client.post("/v1/people/erase", json={"name": "u-1", "confirmed": confirmed})
                assert (unsure.status_code, partition(ADA) in unsure.json()["error"]["message"]) == (409, True)
            sure = await client.post("/v1/people/erase", json={"name": "u-1", "confirmed": [partition(ADA)]})
            [job] = sure.raise_for_status().json()["data"]
            async with asyncio.timeout(30):
                while job["finished"] is None:
                    await asyncio.sleep(0.05)
                    path = f"/v1/jobs/{job['id']}"
                    job = (await client.get(path, params={"partition": job["partition"]})).json()
        assert (job["erased"]["holders"], job["erased"]["traces"], job["partition"]) == (1, 1, partition(ADA))
        assert not any(name in json.dumps(job) for name in ("ada", "u-1", "stamps"))
        assert len(job["remaining_steps"]) == 2
        assert await engine.ledger.people.register.labels() == {partition(BOB): "u-2"}


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_but_the_person_or_an_operator_ends_a_pause_in_a_team(tmp_path: Path) -> None:
    keys = {"ada": ADA, "carl": replace(ADA, user="u-9", key="9" * 64), "master": Caller(master=True)}

    async def verify(headers: Mapping[str, str]) -> Caller:
        return keys[headers["authorization"].removeprefix("Bearer ")]

    async with opened_engine(tmp_path, identity={"partition": "team"}) as engine:
        transport = httpx.ASGITransport(create_app(engine, authenticate=verify), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:

            async def change(who: str, **learn: object) -> int:
                team = partition_of(ADA, "team") or ""
                asked = {"params": {"user": "u-1", "partition": team}, "json": {"learn": learn}}
                key = {"authorization": f"Bearer {who}"}
                return (await client.put("/v1/me", headers=key, **asked)).status_code

            soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            assert await change("ada", paused=True) == 200
            assert [await change("carl", paused=False), await change("carl", paused=True, until=soon)] == [403, 403]
            assert [await change("master", paused=False), await change("ada", paused=False)] == [200, 200]


async def test_a_leaver_of_a_team_is_one_user_in_it_and_every_key_of_theirs_is_found(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    try:
        rows = []
        for caller, binding in ((ADA, "team"), (BOB, "key"), (ADA_TOO, "key")):
            where = partition_of(caller, binding)  # type: ignore[arg-type]  # both are bindings
            told = ledger.people.told(
                caller, where or "", partition_of(caller, "key") or "", binding, clean=str, now=datetime.now(UTC)
            )
            rows.append({**told, "seen": told["seen"].isoformat()})
        await ledger.database.write(lambda c: note_holders(c, rows))
        team, key = partition_of(ADA, "team"), partition_of(ADA_TOO, "key")
        places = await ledger.people.register.places("ada-ci")
        assert {(place.partition, place.user) for place in places} == {(team, "u-1"), (key, None)}
        assert {place.id for place in places} == {Scope(team or "", "u-1").namespace, key}
    finally:
        await ledger.aclose()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_said_today_and_waits_is_forgotten_with_what_was_learned(engine: Engine) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    queue, whose = engine.ledger.model_queue, Scope("today", "ada")
    await queue.add([Exchange("c", whose, "mark of today", "I fly to Riga.", datetime.now(UTC))])
    await queue.add([Exchange("c", whose, "mark of then", "I flew to Oslo.", since - timedelta(days=1))])
    assert [await engine.ledger.people.unsay("today", since) for _ in range(2)] == [1, 0]
