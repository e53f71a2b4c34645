"""Erasing: no file holds the text, the vector or the name any more, and everybody else's memories are as they were."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import yaml
from bed.data import let_go
from bed.engines import opened_engine
from bed.ledgers import empty_database
from bed.leftovers import leftovers
from bed.memories import Memories, mentioning
from bed.proxy import Proxy, free_port
from numpy.typing import NDArray
from typer.testing import CliRunner

from litellm_memory.api.jobs import FOUND_NOTHING, shape
from litellm_memory.care import erasure
from litellm_memory.care.erasure import operator_steps
from litellm_memory.cli import app
from litellm_memory.database.tables import metadata
from litellm_memory.engine import Engine
from litellm_memory.files.address import scrub_path
from litellm_memory.files.vacuum import vacuum
from litellm_memory.ledger import CallRecord, Job, Ledger, TooManyJobsError, Trace
from litellm_memory.ledger.erasures import MOST_OPEN_JOBS
from litellm_memory.models import Block, Caller, Earlier, Exchange, Given, Memory, Scope
from litellm_memory.settings import Settings
from litellm_memory.store import Entry, memory_id, verify

SAID = datetime(2026, 6, 1, tzinfo=UTC)
DIMENSION = 384
ADA = Scope("p", "ada@lovelace.example", session="monday", project="github.com/ada/engine")
BERT = Scope("p", "bert@example.org", session="monday")
SECRETS = ("Grüße from the marmot café", "A reply about marmots", "marmots wait in the journal", ADA.user)
DIRECTORY = "/home/ada/marmots"


def memory(scope: Scope, name: str, text: str) -> Memory:
    return Memory(
        id=memory_id(scope.namespace, name, key=b"k"),
        partition=scope.partition,
        user=scope.user,
        text=text,
        kind="fact",
        created=SAID,
        session=scope.session,
        project=scope.project,
        tokens=len(text.split()),
    )


def vector(seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(size=DIMENSION)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def vectors_of(entries: Sequence[Entry]) -> NDArray[np.float32]:
    return np.stack([np.zeros(DIMENSION, np.float32) if e.vector is None else e.vector for e in entries])


async def fill(engine: Engine, scope: Scope, *texts: str, seed: int) -> list[Memory]:
    """Puts something of this person into every table and every file."""
    said, replied, waiting = texts
    kept = [replace(memory(scope, str(number), f"{said} {number}"), reply=replied) for number in range(3)]
    await engine.memories.keep(kept)
    await engine.memories.store.put([Entry(kept[0], vector(seed)), *(Entry(m, vector(seed + 1)) for m in kept[1:])])
    block = Block(f"mark of {scope.namespace}", f"<block>{said}</block>", (Given(kept[0].id, said, 3),))
    await engine.journal.blocks.freeze(block, namespace=scope.namespace, call="call")
    engine.journal.answers.keep("answer", Earlier(block.mark, (kept[0].id,)), namespace=scope.namespace)
    engine.journal.accept(Exchange("call", scope, f"journalled by {scope.namespace}", waiting, SAID))
    await engine.ledger.model_queue.add([Exchange("call", scope, f"unread of {scope.namespace}", waiting, SAID)])
    await engine.ledger.removed.keep(kept[:1])
    engine.ledger.paths.note(scope.namespace, {DIRECTORY: scope.project} if scope.project else {})
    engine.journal.trace(trace(scope))
    engine.journal.call(call(scope))
    holder = Caller(user=scope.user, email=scope.user, team="the team")
    engine.journal.holder(
        engine.ledger.people.told(holder, scope.partition, scope.user[:3], "team", clean=str, now=SAID)
    )
    await engine.ledger.caught_up()
    return kept


def trace(scope: Scope) -> Trace:
    where = (scope.partition, scope.user, scope.namespace)
    # Of today: the keeper drops old ones.
    return Trace(
        f"trace of {scope.namespace}", datetime.now(UTC), *where, "injected", "recalled", session=scope.session
    )


def call(scope: Scope) -> CallRecord:
    nothing = dict.fromkeys(("client", "model_asked", "model", "provider", "kind", "first_token", "error"))
    numbers = dict.fromkeys(
        ("input_tokens", "output_tokens", "cached_tokens", "memory_tokens", "retries", "recalled"), 1
    )
    return CallRecord(
        id=f"call of {scope.namespace}",
        at=SAID,
        partition=scope.partition,
        user=scope.user,
        project=scope.project,
        stream=False,
        cost=0.5,
        latency=1.0,
        status="success",
        finish_reason=None,
        **nothing,  # type: ignore[arg-type]  # all of these may be None
        **numbers,  # type: ignore[arg-type]  # and all of these are whole numbers
    )


@asynccontextmanager
async def opened_ledger(directory: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger(empty_database("sqlite", directory))
    ledger.connect()
    try:
        yield ledger
    finally:
        await ledger.aclose()


async def until_done(engine: Engine, job: Job) -> Job:
    """The job as soon as it is done."""
    async with asyncio.timeout(30):
        while (now := await engine.ledger.erasures.get(job.partition, job.id)) is None or now.progress != "done":
            await asyncio.sleep(0.05)
    return now


@pytest.fixture(autouse=True)
def _soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(erasure, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(erasure, "RESTS", 0)


async def test_nothing_of_an_erased_user_is_left_in_any_file_and_everything_of_another_is(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        await fill(engine, ADA, *SECRETS[:3], seed=1)
        kept = await fill(engine, BERT, "Bert keeps bees", "A reply about bees", "bees wait", seed=3)
        before = await engine.memories.store.load("p", BERT.user)
        (tmp_path / "aside").mkdir()
        (tmp_path / "aside" / "ledger-schema-1.db").write_text(SECRETS[0])
        vectors = [
            vector(1),
            vector(2),
            *(e.vector for e in await engine.memories.store.load("p", ADA.user) if e.vector is not None),
        ]
        assert leftovers(tmp_path, texts=[DIRECTORY, *SECRETS], vectors=vectors)

        job = await until_done(engine, await engine.erasure.ask("p", ADA.user))

        assert (job.forgotten, job.user, job.problem) == (3, None, None)
        assert leftovers(tmp_path, texts=[DIRECTORY, *SECRETS], vectors=vectors) == set()
        after = await engine.memories.store.load("p", BERT.user)
        assert [e.memory for e in after] == [e.memory for e in before]
        assert np.array_equal(vectors_of(after), vectors_of(before))
        assert await engine.memories.all("p", None) == sorted(
            (e.memory for e in before), key=lambda m: m.id, reverse=True
        )
        [block] = (await engine.journal.blocks.frozen([f"mark of {BERT.namespace}"])).values()
        assert [given.memory for given in block.given] == [kept[0].id]
        # The keeper erased it, and tells this process, which has the block in RAM.
        async with asyncio.timeout(10):
            while await engine.journal.blocks.frozen([f"mark of {ADA.namespace}"]):
                await asyncio.sleep(0.01)
        assert await engine.journal.answers.earlier("answer", namespace=ADA.namespace) is None
        assert await engine.journal.answers.earlier("answer", namespace=BERT.namespace) is not None
        assert {
            (u.group[0], u.cost) for u in await engine.ledger.calls.usage("p", ["user"], since=None, until=None)
        } == {
            ("(forgotten)", 0.5),
            (BERT.user, 0.5),
        }


async def test_another_worker_lets_go_of_what_is_erased(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine, opened_engine(tmp_path) as other:
        await fill(engine, ADA, *SECRETS[:3], seed=1)
        assert len((await other.memories.index("p", ADA.user)).all()) == 3
        mark = f"mark of {ADA.namespace}"
        assert await other.journal.blocks.frozen([mark])
        await until_done(engine, await engine.erasure.ask("p", ADA.user))
        async with asyncio.timeout(10):
            while (await other.memories.index("p", ADA.user)).all() or other.journal.blocks.cached([mark]):
                await asyncio.sleep(0.05)


async def test_what_was_learned_meanwhile_goes_too_and_what_was_said_afterwards_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 1.0)
    async with opened_engine(tmp_path) as engine:
        await engine.memories.keep([memory(ADA, "first", SECRETS[0])])
        job = await engine.erasure.ask("p", ADA.user)
        async with asyncio.timeout(30):
            while (await engine.ledger.erasures.get("p", job.id)) == job:
                await asyncio.sleep(0.01)
        late = replace(memory(ADA, "late", "Late marmots"), created=datetime.now(UTC), valid_from=SAID)
        new = replace(memory(ADA, "new", "I keep ducks now"), created=datetime.now(UTC))
        await engine.memories.keep([late, new])
        await until_done(engine, job)
        assert [m.text for m in await engine.memories.all("p", ADA.user)] == ["I keep ducks now"]
        assert leftovers(tmp_path, texts=["Late marmots", SECRETS[0]]) == set()


async def test_an_erasure_outlives_the_process_that_was_asked_for_it(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        await fill(engine, ADA, *SECRETS[:3], seed=1)
    job = await asked_of_an_engine_that_ends(tmp_path)
    async with opened_engine(tmp_path) as engine:
        done = await until_done(engine, job)
        assert leftovers(tmp_path, texts=[DIRECTORY, *SECRETS]) == set()
    assert done.progress == "done"


async def asked_of_an_engine_that_ends(data_dir: Path) -> Job:
    engine = Engine(Settings(data_dir=data_dir), count=len)
    try:
        return await engine.erasure.ask("p", ADA.user)
    finally:
        await engine.aclose()


async def test_a_session_is_erased_alone(tmp_path: Path) -> None:
    tuesday = replace(ADA, session="tuesday")
    async with opened_engine(tmp_path) as engine:
        await fill(engine, ADA, *SECRETS[:3], seed=1)
        await engine.memories.keep([memory(tuesday, "tuesday", "On Tuesday I bought figs")])
        await until_done(engine, await engine.erasure.ask("p", ADA.user, "monday"))
        assert [m.text for m in await engine.memories.all("p", ADA.user)] == ["On Tuesday I bought figs"]
        assert leftovers(tmp_path, texts=SECRETS[:3]) == set()


@pytest.mark.long
async def test_a_partition_is_erased_with_all_its_users_and_no_other(tmp_path: Path) -> None:
    elsewhere = replace(BERT, partition="q")
    async with opened_engine(tmp_path) as engine:
        for seed, scope in enumerate((ADA, BERT)):
            await fill(engine, scope, *SECRETS[:3], seed=seed)
        await engine.memories.keep([memory(elsewhere, "there", "Bert keeps bees in q")])
        await until_done(engine, await engine.erasure.ask("p"))
        assert leftovers(tmp_path, texts=[DIRECTORY, *SECRETS]) == set()
        assert [m.text for m in await engine.memories.all("q", None)] == ["Bert keeps bees in q"]


ERASED = {
    "blocks",
    "answers",
    "journal",
    "unread",
    "traces",
    "calls",
    "days",
    "paths",
    "texts",
    "jobs",
    "listed",
    "removed",
    "holders",
    "proposals",
}
HOLDS_NOBODY = {
    "facts",
    "learned",
    "sayings",
    "changes",
    "partitions",
    "forgotten",
    "spending",
    "figures",
    "keepers",
    # What somebody paused stays paused, by a hash: else they would be learned from again.
    "switches",
    "receipts",
}


def test_every_table_of_the_ledger_is_erased_from_or_tells_of_nobody() -> None:
    """A new table belongs in one of the two, and what is in the first has to be filled and found empty above."""
    assert {table.name for table in metadata.sorted_tables} == ERASED | HOLDS_NOBODY


async def forgotten(engine: Engine, kept: Memory) -> None:
    await engine.memories.forget("p", kept.id)


async def corrected(engine: Engine, kept: Memory) -> None:
    await engine.memories.correct("p", kept.id, lambda known: replace(known, text="I keep ducks now"))


@pytest.mark.parametrize("change", [forgotten, pytest.param(corrected, marks=pytest.mark.long)])
async def test_the_files_follow_by_themselves_what_is_forgotten_or_corrected(
    change: Callable[[Engine, Memory], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened_engine(tmp_path) as engine:
        [kept] = await engine.memories.keep([memory(ADA, "first", SECRETS[0])])
        await change(engine, kept)
        assert leftovers(tmp_path, texts=[SECRETS[0]])
        monkeypatch.setattr(erasure, "SCRUB_AFTER", timedelta(0))
        async with asyncio.timeout(30):
            while await engine.ledger.erasures.unscrubbed():
                await engine.erasure.work()
        assert leftovers(tmp_path, texts=[SECRETS[0]]) == set()


async def test_an_erasure_that_cannot_go_on_says_why_and_goes_on_later(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        [kept] = await engine.memories.keep([memory(ADA, "first", SECRETS[0])])
        await engine.memories.forget("p", kept.id)
        scrub_path(tmp_path).mkdir()  # So the mark cannot be taken away.
        job = await engine.erasure.ask_to_scrub("p")
        async with asyncio.timeout(30):
            while (now := await engine.ledger.erasures.get("p", job.id)) is None or now.problem is None:
                await asyncio.sleep(0.05)
        assert (now.progress, "cannot be written anew" in now.problem) == ("scrubbing", True)
        scrub_path(tmp_path).rmdir()
        assert (await until_done(engine, job)).problem is None
        assert leftovers(tmp_path, texts=[SECRETS[0]]) == set()


async def test_nobody_waits_for_all_the_erasures_that_another_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 1.0)
    async with opened_engine(tmp_path) as engine:
        await engine.memories.keep([memory(ADA, "first", SECRETS[0])])
        for number in range(60):
            await engine.erasure.ask("ben's", f"nobody-{number}")
        job = await engine.erasure.ask("p", ADA.user)
        # One after the other they would take more than a minute, and this waits half of one.
        assert (await until_done(engine, job)).forgotten == 1


async def test_nobody_waits_for_one_large_erasure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "SLICE", 2)
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 0.0)
    async with opened_engine(tmp_path) as engine:
        large, small = Scope("large", "ada"), Scope("small", "ben")
        await engine.memories.keep([memory(large, str(number), f"The heron {number} nests.") for number in range(7)])
        await engine.memories.keep([memory(small, "one", "The otter sleeps.")])
        jobs = [await engine.erasure.ask("large"), await engine.erasure.ask("small", "ben")]
        forgotten: list[str] = []
        forgot = engine.ledger.erasures.forgot

        async def noted(job: Job) -> None:
            forgotten.append(job.partition)
            await forgot(job)

        monkeypatch.setattr(engine.ledger.erasures, "forgot", noted)
        await engine.erasure.work()
        done = [await until_done(engine, job) for job in jobs]
        assert (forgotten, [job.forgotten for job in done]) == (["small", "large"], [7, 1])
        assert await engine.memories.all("large", None) == []


def test_the_erasures_of_partitions_come_in_turn() -> None:
    asked = [Job(name, name[0], SAID, "forgetting") for name in ("a1", "a2", "a3", "b1", "a4", "c1", "b2")]
    assert [job.id for job in erasure.in_turn(asked)] == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


async def test_the_same_erasure_asked_twice_is_one_job_and_erases_what_was_said_in_between(tmp_path: Path) -> None:
    async with opened_ledger(tmp_path) as ledger:
        first = await ledger.erasures.ask("p", "ada", None, "forgetting")
        again = await ledger.erasures.ask("p", "ada", None, "forgetting")
        others = [
            await ledger.erasures.ask(*asked, "forgetting")
            for asked in (("p", "ada", "monday"), ("q", "ada", None), ("p", None, None))
        ]
        assert (again.id, again.requested > first.requested) == (first.id, True)
        assert len({first.id, *(job.id for job in others)}) == 4
        # Whoever works on the first does not end what was asked since.
        await ledger.erasures.forgot(first)
        assert (await ledger.erasures.unfinished())[-1].progress == "forgetting"
        await ledger.erasures.forgot(again)
        now = await ledger.erasures.get("p", first.id)
        assert now is not None
        assert (now.progress, now.user) == ("scrubbing", None)


async def test_an_erasure_that_found_nobody_says_so(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        await engine.memories.keep([memory(ADA, "first", SECRETS[0])])
        told = []
        for user in ("adah", ADA.user):
            job = await until_done(engine, await engine.erasure.ask("p", user))
            told.append(shape(engine, job, await engine.ledger.people.receipts.of(job.id)).remaining_steps)
        assert [FOUND_NOTHING in steps for steps in told] == [True, False]


async def test_a_partition_has_a_limited_number_of_open_erasures(tmp_path: Path) -> None:
    async with opened_ledger(tmp_path) as ledger:
        for number in range(MOST_OPEN_JOBS):
            await ledger.erasures.ask("p", f"user-{number}", None, "forgetting")
        with pytest.raises(TooManyJobsError):
            await ledger.erasures.ask("p", "one more", None, "forgetting")
        with pytest.raises(TooManyJobsError):
            await ledger.erasures.ask("p", None, None, "scrubbing")
        await ledger.erasures.ask("p", "user-1", None, "forgetting")
        await ledger.erasures.ask("q", "ada", None, "forgetting")


async def test_files_are_not_rewritten_when_nothing_was_forgotten_and_rest_between_two_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened_engine(tmp_path) as engine:
        scrubs = []
        scrub = engine.memories.store.scrub
        monkeypatch.setattr(engine.memories.store, "scrub", lambda: (scrubs.append(1), scrub())[1])
        for _ in range(3):
            await until_done(engine, await engine.erasure.ask_to_scrub("p"))
            await until_done(engine, await engine.erasure.ask("p", "nobody"))
        assert scrubs == []
        [kept] = await engine.memories.keep([memory(ADA, "first", SECRETS[0])])
        await engine.memories.forget("p", kept.id)
        await until_done(engine, await engine.erasure.ask_to_scrub("p"))
        assert scrubs == [1]
        monkeypatch.setattr(erasure, "RESTS", 10**6)
        [kept] = await engine.memories.keep([memory(ADA, "second", SECRETS[0])])
        await engine.memories.forget("p", kept.id)
        job = await engine.erasure.ask_to_scrub("p")
        await engine.erasure.work()
        assert (scrubs, [one.id for one in await engine.ledger.erasures.unfinished()]) == ([1], [job.id])
        monkeypatch.setattr(erasure, "RESTS", 0)
        await until_done(engine, job)
        assert leftovers(tmp_path, texts=[SECRETS[0]]) == set()


@pytest.mark.long
async def test_unused_room_and_forgotten_directories_of_an_index_are_wiped(tmp_path: Path) -> None:
    kept = [memory(BERT, str(number), f"Bert keeps bees {number}") for number in range(3)]
    async with opened_engine(tmp_path) as engine:
        await engine.memories.store.put([Entry(m, vector(number)) for number, m in enumerate(kept)])
        await engine.memories.store.scrub()
    await let_go(tmp_path)
    for path in (tmp_path / "chroma").glob("*/length.bin"):
        with path.open("ab") as file:
            file.write(SECRETS[0].encode())
    orphan = tmp_path / "chroma" / str(uuid4())
    orphan.mkdir()
    (orphan / "data_level0.bin").write_text(SECRETS[0])
    assert len(leftovers(tmp_path, texts=[SECRETS[0]])) == 2
    vacuum(tmp_path / "chroma")
    assert leftovers(tmp_path, texts=[SECRETS[0]]) == set()
    async with opened_engine(tmp_path) as engine:
        await verify(engine.memories.store)
        assert vectors_of(await engine.memories.store.load("p", BERT.user)) == pytest.approx(
            np.stack([vector(number) for number in range(3)]), abs=1e-6
        )


def test_the_command_erases_a_user_of_a_proxy_that_does_not_run(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"litellm_memory": {"sidecar": {"port": free_port()}}}))

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--config", str(config), "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    run("add", "My aunt Klothilde breeds axolotls.", "--user", "ada/home")
    run("add", "My sister Anna plays the cello.", "--user", "bert")
    refused = CliRunner().invoke(app, ["forget", "--user", "ada/home", "--config", str(config)])
    assert (refused.exit_code, "all 1 memories of ada/home" in refused.output) == (1, True)
    told = run("forget", "--user", "ada/home", "--yes")
    assert (told["progress"], told["forgotten"], len(told["remaining_steps"])) == ("done", 1, 2)
    assert told["erased"]["memories"] == 1
    assert leftovers(tmp_path / ".litellm-memory", texts=["My aunt Klothilde breeds axolotls.", "ada/home"]) == set()
    assert [kept["user"] for kept in run("list", "--user", "bert")] == ["bert"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["an id", "--user", "ada"], ["--user", "ada", "--all"], ["--session", "monday"], ["an id", "--all", "--yes"]],
    ids=" ".join,
)
def test_a_command_that_names_nothing_or_two_things_erases_nothing(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["forget", *arguments, "--config", str(tmp_path / "config.yaml")])
    assert result.exit_code == 2


SQLITE: dict[str, object] = {}
POSTGRES = {"ledger": {"url": "postgresql+psycopg://memory@db.internal/memory"}}
SERVER = {"store": {"mode": "server", "host": "chroma.internal"}}
CLOUD = {"store": {"mode": "cloud", "tenant": "t", "database": "d", "api_key": "k"}}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param(SQLITE, ["What LiteLLM itself keeps", "Backups"], id="all here"),
        pytest.param(SERVER, ["On the Chroma server's host", "What LiteLLM itself keeps", "Backups"], id="a server"),
        pytest.param(
            CLOUD | POSTGRES,
            ["Chroma Cloud", "On the ledger's database", "What LiteLLM itself keeps", "Backups"],
            id="nothing here",
        ),
    ],
)
def test_what_is_left_to_the_operator_is_told(
    settings: dict[str, object], named: Sequence[str], tmp_path: Path
) -> None:
    steps = operator_steps(Settings.model_validate({"data_dir": tmp_path, **settings}))
    assert [step[: len(name)] for step, name in zip(steps, named, strict=True)] == named


def test_a_proxy_erases_a_user_while_others_recall(proxy: Proxy, memories: Memories, user: str) -> None:
    other = f"{user} beside"
    memories.add("My aunt Klothilde breeds axolotls.", user=user)
    memories.add("My sister Anna plays the cello in Graz.", user=other)
    with proxy.sidecar() as sidecar, proxy.client() as client:
        job = sidecar.delete(f"/v1/namespaces/{user}")
        assert job.status_code == 202
        statuses: list[tuple[int, str]] = []
        deadline = time.monotonic() + 30
        while (told := sidecar.get(f"/v1/jobs/{job.json()['id']}").json())["progress"] != "done":
            assert time.monotonic() < deadline, told
            question = f"Which instrument does my sister Anna play, number {len(statuses)}?"
            body = {"model": "gpt", "messages": [{"role": "user", "content": question}]}
            answer = client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": other})
            statuses.append((answer.status_code, answer.headers["x-memory-status"]))
    assert set(statuses) == {(200, "injected")}
    assert told["forgotten"] == 1
    assert leftovers(proxy.directory / "memory", texts=["My aunt Klothilde breeds axolotls."]) == set()
    assert mentioning(memories.of(other), "Anna")


def test_a_job_of_another_partition_is_unknown(proxy: Proxy, memories: Memories) -> None:
    with proxy.sidecar() as sidecar:
        job = sidecar.post("/v1/jobs").json()
        assert sidecar.get(f"/v1/jobs/{job['id']}").status_code == 200
        assert sidecar.get(f"/v1/jobs/{job['id']}", params={"partition": "another"}).status_code == 404
