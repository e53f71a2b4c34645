"""The store's promises, kept alike by an embedded Chroma behind its owner process and by a Chroma server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from bed.chroma import chroma_server, make_database, start_chroma, wait_for_chroma
from bed.proxy import free_port

from litellm_memory.errors import StoreError
from litellm_memory.files.address import read_record
from litellm_memory.models import Memory, Origin, Superseded, namespace
from litellm_memory.settings import StoreSettings
from litellm_memory.store import REPLY_BYTES, TEXT_BYTES, Entry, Store, StoreFacts, memory_id, open_store, verify
from litellm_memory.store.chroma import INDEX, client_of, panics_as_errors
from litellm_memory.store.client import OwnerCollections
from litellm_memory.store.layout import BUCKETS, Layout
from litellm_memory.store.marker import MARKER

KEY = b"a key of the tests"
DIMENSION = 8
NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
MODES = ["embedded", "server", "server-per-namespace"]


def remembered(partition: str, name: str = "one", *, user: str = "ann", **fields: object) -> Memory:
    """A memory of ``user``; equal names are equal memories."""
    bare = Memory(
        id=memory_id(namespace(partition, user), name, key=KEY),
        partition=partition,
        user=user,
        text=f"Prefers {name}.",
        kind="preference",
        created=NOON,
    )
    return replace(bare, **fields)


def toward(degrees: float) -> np.ndarray:
    """A unit vector; two of them are as near as their angles."""
    vector = np.zeros(DIMENSION, np.float32)
    vector[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


def plain(entries: list[Entry]) -> list[tuple[Memory, list[float] | None]]:
    """The entries as things that can be compared; Chroma's cosine index gives a vector's last bit back as it likes."""
    return [(entry.memory, None if entry.vector is None else (entry.vector.round(5) + 0).tolist()) for entry in entries]


@pytest.fixture(scope="module")
def embedded_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    data_dir = tmp_path_factory.mktemp("embedded")
    yield data_dir
    if (owner := read_record(data_dir)) is not None:
        with suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGTERM)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """A Chroma server on loopback with a database for each layout."""
    with chroma_server(tmp_path_factory.mktemp("server")) as port:
        for name in ("buckets", "per-namespace"):
            make_database(port, name)
        yield StoreSettings(mode="server", port=port)


@pytest.fixture(params=MODES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "embedded":
        settings, data_dir = StoreSettings(), request.getfixturevalue("embedded_dir")
    else:
        layout = "buckets" if request.param == "server" else "per-namespace"
        running = request.getfixturevalue("server")
        settings, data_dir = running.model_copy(update={"layout": layout, "database": layout}), tmp_path
    opened = await open_store(settings, data_dir, embedder="test", dimension=DIMENSION)
    yield opened
    await opened.aclose()


@pytest.fixture
def partition() -> str:
    """A partition that no other test has used."""
    return uuid4().hex


FULL = {
    "text": "We deploy with Kustomize since May.",
    "kind": "decision",
    "project": "github.com/acme/shop",
    "session": "s-1",
    "tags": ("deploy", "größe"),
    "origin": Origin("person", "claude-code", "call-7"),
    "confidence": 0.75,
    "valid_from": NOON - timedelta(days=1),
    "valid_until": NOON + timedelta(days=1),
    "superseded_by": Superseded("0" * 40, "newer statement"),
    "pinned": True,
    "uses": 3,
    "last_used": NOON + timedelta(hours=1),
    "tokens": 9,
    "reply": "Noted.",
    "message": "f" * 32,
    "kept": NOON + timedelta(days=2),
}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nothing beyond the necessary"),
        pytest.param(FULL, id="every field"),
        pytest.param({"text": "日本 \N{GRINNING FACE} עברית e\u0301 \x00 \u2028 '\"\\"}, id="any unicode"),
        pytest.param({"text": "", "reply": "", "project": "", "tags": ("",)}, id="empty texts"),
        pytest.param(
            {"text": "ü" * (TEXT_BYTES // 2), "reply": "日" * (REPLY_BYTES // 3 - 4)}, id="as long as it fits"
        ),
        pytest.param({"created": NOON.astimezone(timezone(timedelta(hours=5)))}, id="another time zone"),
    ],
)
@pytest.mark.parametrize("vector", [toward(30) * 2, None], ids=["embedded", "not embedded"])
async def test_what_was_put_is_got_again(
    store: Store, partition: str, fields: dict[str, object], vector: np.ndarray | None
) -> None:
    entry = Entry(remembered(partition, **fields), vector)
    await store.put([entry])
    assert plain(await store.get(partition, [entry.memory.id])) == plain([entry])
    assert plain(await store.load(partition, "ann")) == plain([entry])


async def test_a_put_replaces_the_memory_whole(store: Store, partition: str) -> None:
    full, bare = remembered(partition, **FULL), remembered(partition)
    await store.put([Entry(full, toward(0))])
    await store.put([Entry(bare, None)])
    assert plain(await store.load(partition)) == [(bare, None)]


async def test_the_same_put_twice_is_one_memory_and_the_last_of_equal_ids_counts(store: Store, partition: str) -> None:
    first, last = remembered(partition, text="first"), remembered(partition, text="last")
    await store.put([Entry(first, None), Entry(last, toward(10))])
    await store.put([Entry(last, toward(10))])
    assert plain(await store.load(partition)) == plain([Entry(last, toward(10))])


async def test_an_amended_entry_changes_in_what_differs_and_a_deleted_one_stays_deleted(
    store: Store, partition: str
) -> None:
    names = ("text", "pinned", "embedded", "same", "deleted")
    before = [Entry(remembered(partition, name), None if name == "embedded" else toward(10)) for name in names]
    await store.put(before)
    text, pinned, embedded, same, deleted = before
    after = [
        Entry(replace(text.memory, text="Prefers the new text.", tokens=7), toward(50)),
        Entry(replace(pinned.memory, pinned=True, reply="Yes."), pinned.vector),
        Entry(embedded.memory, toward(70)),
        Entry(same.memory, same.vector),
        Entry(replace(deleted.memory, text="Prefers to come back."), toward(80)),
    ]
    await store.delete(partition, [deleted.memory.id])
    await store.touch({pinned.memory.id: 2}, NOON)
    await store.amend(list(zip(before, after, strict=True)))
    after[1] = Entry(replace(after[1].memory, uses=2, last_used=NOON), pinned.vector)
    assert plain(await store.get(partition, [entry.memory.id for entry in before])) == plain(after[:4])
    assert [entry.memory.id for entry in await store.nearest(partition, "ann", toward(51), 1)] == [text.memory.id]
    assert [entry.memory.id for entry in await store.holding(partition, "ann", ["new text"], 5)] == [text.memory.id]


async def test_got_memories_come_in_the_order_asked_and_missing_ones_are_left_out(store: Store, partition: str) -> None:
    one, two, never = (remembered(partition, name) for name in ("one", "two", "never"))
    await store.put([Entry(one, None), Entry(two, None)])
    assert plain(await store.get(partition, [two.id, never.id, one.id, two.id])) == [(two, None), (one, None)]


async def test_another_partition_neither_reads_nor_deletes_what_it_knows_the_id_of(
    store: Store, partition: str
) -> None:
    own = Entry(remembered(partition), toward(0))
    await store.put([own])
    foreign = uuid4().hex
    await store.delete(foreign, [own.memory.id])
    assert await store.get(foreign, [own.memory.id]) == []
    assert await store.load(foreign) == []
    assert await store.load(foreign, "ann") == []
    assert await store.nearest(foreign, "ann", toward(0), 5) == []
    assert plain(await store.load(partition)) == plain([own])


async def test_users_who_share_a_collection_see_their_own(store: Store, partition: str) -> None:
    bucket = int(namespace(partition, "ann")[:4], 16) % BUCKETS
    names = (f"user {number}" for number in range(10_000))
    other = next(name for name in names if int(namespace(partition, name)[:4], 16) % BUCKETS == bucket)
    hers, theirs = remembered(partition), remembered(partition, user=other)
    await store.put([Entry(hers, toward(0)), Entry(theirs, toward(1))])
    assert [entry.memory for entry in await store.load(partition, "ann")] == [hers]
    assert [entry.memory for entry in await store.nearest(partition, other, toward(0), 5)] == [theirs]
    assert {entry.memory for entry in await store.load(partition)} == {hers, theirs}


async def test_a_thousand_memories_are_loaded_each_once(store: Store, partition: str) -> None:
    entries = [Entry(remembered(partition, f"thing {number}"), toward(number)) for number in range(1000)]
    await store.put(entries)
    assert plain(await store.load(partition, "ann")) == plain(entries)
    assert plain(await store.get(partition, [entry.memory.id for entry in entries])) == plain(entries)


async def test_writers_at_the_same_time_all_have_their_say(store: Store, partition: str) -> None:
    entries = [Entry(remembered(partition, user=f"user {number}"), toward(number)) for number in range(20)]
    await asyncio.gather(*(store.put([entry]) for entry in entries))
    assert {entry.memory for entry in await store.load(partition)} == {entry.memory for entry in entries}


async def test_the_nearest_come_nearest_first_and_never_those_without_a_vector(store: Store, partition: str) -> None:
    at = {degrees: remembered(partition, f"{degrees} degrees") for degrees in (0, 20, 50, 120)}
    await store.put([Entry(memory, toward(degrees)) for degrees, memory in at.items()])
    await store.put([Entry(remembered(partition, "no vector"), None)])
    found = await store.nearest(partition, "ann", toward(40), 3)
    assert plain(found) == plain([Entry(at[50], toward(50)), Entry(at[20], toward(20)), Entry(at[0], toward(0))])


async def test_touching_counts_uses_and_changes_nothing_else(store: Store, partition: str) -> None:
    one, two, never = (remembered(partition, name, **FULL) for name in ("one", "two", "never"))
    await store.put([Entry(one, toward(0)), Entry(two, toward(1))])
    later = NOON + timedelta(days=2)
    await store.touch({one.id: 2, never.id: 1}, later)
    assert plain(await store.get(partition, [one.id, two.id, never.id])) == plain(
        [Entry(replace(one, uses=5, last_used=later), toward(0)), Entry(two, toward(1))]
    )


async def test_a_deleted_memory_is_gone_and_may_be_deleted_again_or_come_back(store: Store, partition: str) -> None:
    doomed, kept = Entry(remembered(partition, **FULL), toward(0)), Entry(remembered(partition, "kept"), toward(1))
    await store.put([doomed, kept])
    await store.delete(partition, [doomed.memory.id])
    await store.delete(partition, [doomed.memory.id])
    assert plain(await store.load(partition)) == plain([kept])
    await store.put([doomed])
    assert plain(await store.get(partition, [doomed.memory.id])) == plain([doomed])


@pytest.mark.parametrize("name", ["", "nope", "../../etc", "ZZ" * 20, "0" * 39, "\ud800" * 40, "0" * 40 + "\n"])
async def test_an_id_from_outside_may_be_anything_and_finds_nothing(store: Store, partition: str, name: str) -> None:
    await store.delete(partition, [name])
    await store.touch({name: 1}, NOON)
    assert await store.get(partition, [name]) == []


@pytest.mark.parametrize(
    ("fields", "vector", "complaint"),
    [
        pytest.param({"id": "m1"}, None, "not an id", id="a made-up id"),
        pytest.param(
            {"id": memory_id(namespace("p", "bob"), "one", key=KEY)}, None, "not an id", id="another user's id"
        ),
        pytest.param({"tags": ("x" * 9000,)}, None, "8000 bytes", id="tags beyond any measure"),
        pytest.param({}, np.zeros(3, np.float32), "8 dimensions", id="a vector of another embedder"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_nothing_of_the_put_is_kept(
    store: Store, partition: str, fields: dict[str, object], vector: np.ndarray | None, complaint: str
) -> None:
    good, bad = Entry(remembered(partition, "good"), None), Entry(remembered(partition, **fields), vector)
    with pytest.raises(ValueError, match=complaint):
        await store.put([good, bad])
    assert await store.load(partition) == []


async def test_a_text_that_is_too_long_loses_its_end_and_half_a_character_becomes_a_question_mark(
    store: Store, partition: str
) -> None:
    memory = remembered(partition, text="日" * TEXT_BYTES, reply="\ud83d" + "x" * REPLY_BYTES, project="a\udc00b")
    await store.put([Entry(memory, None)])
    kept = replace(memory, text="日" * (TEXT_BYTES // 3), reply="?" + "x" * (REPLY_BYTES - 1), project="a?b")
    assert plain(await store.load(partition)) == [(kept, None)]


async def test_the_store_knows_what_it_holds(store: Store, partition: str) -> None:
    before = await store.facts()
    await store.put([Entry(remembered(partition, f"thing {number}"), None) for number in range(3)])
    await store.health()
    assert await store.facts() == replace(before, count=before.count + 3)
    assert before == StoreFacts(before.store_id, 1, before.layout, "test", DIMENSION, before.count)


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        pytest.param({"schema": 2}, "newer litellm-memory", id="newer schema"),
        pytest.param({"embedder": "other"}, "another data_dir", id="other embedder"),
        pytest.param({"dimension": 3}, "another data_dir", id="other dimension"),
        pytest.param({"layout": "per-namespace"}, "store.layout per-namespace", id="other layout"),
    ],
)
async def test_a_store_that_was_made_differently_is_refused(
    tmp_path: Path, marker: dict[str, str | int], complaint: str
) -> None:
    ours = {"store_id": "x", "schema": 1, "layout": "buckets", "embedder": "test", "dimension": DIMENSION}
    collections = OwnerCollections(tmp_path, idle_seconds=0.5)
    await collections.create(MARKER, {**ours, **marker})
    with pytest.raises(StoreError, match=complaint):
        await open_store(StoreSettings(), tmp_path, embedder="test", dimension=DIMENSION)
    await collections.aclose()


async def test_workers_that_open_a_new_store_at_once_open_the_same_one(server: StoreSettings, tmp_path: Path) -> None:
    opening = (open_store(server, tmp_path, embedder="test", dimension=DIMENSION) for _ in range(4))
    stores = await asyncio.gather(*opening)
    assert len({(await store.facts()).store_id for store in stores}) == 1
    for store in stores:
        await store.aclose()


@pytest.mark.parametrize("database", [None, "nowhere"], ids=["no server", "no such database"])
async def test_a_server_that_cannot_be_used_is_named(
    server: StoreSettings, tmp_path: Path, database: str | None
) -> None:
    port = server.port if database else free_port()
    settings = StoreSettings(mode="server", port=port, database=database or "default_database")
    with pytest.raises(StoreError, match=f"127.0.0.1:{port} cannot be used"):
        await open_store(settings, tmp_path, embedder="test", dimension=DIMENSION)


async def test_a_server_that_went_away_fails_calls_and_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    settings = StoreSettings(mode="server", port=port)
    process = start_chroma(tmp_path, port)
    wait_for_chroma(port)
    store = await open_store(settings, tmp_path, embedder="test", dimension=DIMENSION)
    entry = Entry(remembered("p"), toward(0))
    await store.put([entry])
    process.kill()
    process.wait()
    with pytest.raises(StoreError, match=r"ConnectError|ReadError|RemoteProtocolError"):
        await store.health()
    process = start_chroma(tmp_path, port)
    wait_for_chroma(port)
    await store.health()
    assert plain(await store.load("p")) == plain([entry])
    await store.aclose()
    process.terminate()
    process.wait()


async def test_an_embedded_store_has_buckets_only(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="per-namespace is for server and cloud"):
        await open_store(StoreSettings(layout="per-namespace"), tmp_path, embedder="test", dimension=DIMENSION)


def test_an_id_is_the_same_for_the_same_parts_and_begins_with_its_namespace() -> None:
    ns = namespace("p", "ann")
    made = [memory_id(ns, *parts, key=KEY) for parts in (("a", "b"), ("a", "b"), ("ab",), ("a", "b", ""), ("\ud800",))]
    assert made[0] == made[1]
    assert len({*made, memory_id(ns, "a", "b", key=b"another"), memory_id("0" * 32, "a", "b", key=KEY)}) == 6
    assert {(name[:16], len(name)) for name in made} == {(ns[:16], 40)}


@pytest.mark.parametrize("embedder", ["local", "openai/text-embedding-3-small", "größe 1", "x" * 300])
@pytest.mark.parametrize("kind", ["buckets", "per-namespace"])
def test_collections_are_named_after_the_embedder_as_chroma_permits(kind: str, embedder: str) -> None:
    layout, other = Layout(kind, embedder, 384), Layout(kind, embedder + "!", 384)
    name = layout.collection("ab" * 20)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_")
    assert len(name) <= 128
    assert name.startswith(layout.prefix)
    assert layout.prefix != other.prefix


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, MemoryError])
def test_only_a_panic_of_chroma_becomes_an_error_of_the_store(error: type[BaseException]) -> None:
    class PanicException(BaseException):
        """As pyo3 names it."""

    def raising(what: type[BaseException]) -> None:
        raise what("called on an index that is not there")

    with pytest.raises(error):
        panics_as_errors(lambda: raising(error))
    with pytest.raises(StoreError, match="PanicException"):
        panics_as_errors(lambda: raising(PanicException))


def told_by(client: Any) -> list[object]:
    """What a client of a directory answers to every call that the store makes."""
    records = client.get_collection("memories-00")
    everything = ["documents", "metadatas", "embeddings"]
    found = [
        records.get(ids=["second", "nobody"], include=everything),
        records.get(where={"n": 1}, limit=5, offset=0, include=[]),
        records.get(where_document={"$contains": "tea"}, limit=5, include=["documents"]),
        records.query(query_embeddings=[np.eye(4, dtype=np.float32)[0]], n_results=2, where=None, include=everything),
    ]
    columns = ("ids", "documents", "metadatas", "embeddings")
    plain = [[np.asarray(one[name]).tolist() for name in columns] for one in found]
    return [plain, records.count(), records.metadata, sorted(one.name for one in client.list_collections(10, 0))]


@pytest.mark.parametrize("writes_direct", [True, False], ids=["bindings", "Chroma's client"])
def test_the_bindings_and_chromas_own_client_are_one_store(tmp_path: Path, writes_direct: bool) -> None:
    writer = client_of(tmp_path / "chroma", direct=writes_direct)
    records = writer.get_or_create_collection("memories-00", embedding_function=None, configuration=INDEX)
    metadatas = [{"n": 1, "x": 0.5, "yes": True}, {"n": 2}, {"n": 3}]
    ids, texts = ["first", "second", "third"], ["tea", "coffee", "cake"]
    records.upsert(ids=ids, embeddings=np.eye(4, dtype=np.float32)[:3], documents=texts, metadatas=metadatas)
    records.update(ids=["second"], embeddings=None, documents=None, metadatas=[{"n": None, "m": 4}])
    records.delete(ids=["third", "nobody"])
    writer.get_or_create_collection("marker", metadata={"a": 1}, embedding_function=None).modify(metadata={"b": 2})
    writer.close()
    answers = []
    for direct in (True, False):
        client = client_of(tmp_path / "chroma", direct=direct)
        assert dict(client.get_collection("marker").metadata) == {"b": 2}
        answers.append(told_by(client))
        client.close()
    assert answers[0] == answers[1]
    assert answers[0][1:] == [2, None, ["marker", "memories-00"]]


async def test_a_collection_that_was_emptied_is_in_order(store: Store, partition: str) -> None:
    memory = remembered(partition)
    await store.put([Entry(memory, toward(0))])
    await store.delete(partition, [memory.id])
    await verify(store)
