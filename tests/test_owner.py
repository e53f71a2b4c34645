"""The owner process of the embedded mode: one for all workers, there when needed, gone when not, and private."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from litellm_memory.errors import StoreError
from litellm_memory.files.address import (
    SOCKET_PATH_BYTES,
    OwnerRecord,
    lock_path,
    log_path,
    make_private,
    read_record,
    socket_path,
)
from litellm_memory.models import Memory, namespace
from litellm_memory.store import Entry, Store, frames, memory_id
from litellm_memory.store.chroma import open_directory
from litellm_memory.store.client import OwnerCollections
from litellm_memory.store.collections import Rows
from litellm_memory.store.layout import Layout
from litellm_memory.store.link import Connection
from litellm_memory.store.memories import open_collections
from litellm_memory.store.owner import open_all

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECRET = "the-cat-is-called-Fermat"

ANOTHER_WORKER = """
import asyncio, sys
from pathlib import Path
from datetime import UTC, datetime
from litellm_memory.models import Memory, namespace
from litellm_memory.settings import StoreSettings
from litellm_memory.store import Entry, memory_id, open_store

async def work(data_dir):
    store = await open_store(StoreSettings(), data_dir, embedder="test", dimension=2)
    [entry] = await store.load("p", "ann")
    theirs = memory_id(namespace("p", "ann"), "theirs", key=b"k")
    memory = Memory(theirs, "p", "ann", f"seen: {entry.memory.text}", "fact", datetime(2026, 1, 1, tzinfo=UTC))
    await store.put([Entry(memory, None)])
    await store.aclose()
    print("chromadb" in sys.modules)

asyncio.run(work(Path(sys.argv[1])))
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory, open to all at first, whose owner, if one was started, is told to leave at the end."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o755)
    yield directory
    if (owner := read_record(directory)) is not None:
        with suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGTERM)


async def opened(data_dir: Path, *, idle_seconds: float = 10) -> Store:
    """The store of ``data_dir``; an owner that this starts leaves so long after the last worker."""
    collections = OwnerCollections(data_dir, idle_seconds=idle_seconds)
    return await open_collections(collections, Layout("buckets", "test", 2))


def entry(name: str = "ours", *, text: str = SECRET) -> Entry:
    made = memory_id(namespace("p", "ann"), name, key=b"k")
    memory = Memory(made, "p", "ann", text, "fact", datetime(2026, 1, 1, tzinfo=UTC))
    return Entry(memory, np.array([1, 0], np.float32))


def owner_of(data_dir: Path) -> OwnerRecord:
    record = read_record(data_dir)
    assert record is not None
    return record


async def run_owner(data_dir: Path) -> int:
    """The exit code of one more owner, which leaves as soon as it has nobody to serve."""
    arguments = ["--data-dir", str(data_dir), "--idle-seconds", "0"]
    owner = await asyncio.create_subprocess_exec(sys.executable, "-m", "litellm_memory.keeper", *arguments)
    return await owner.wait()


async def has_left(data_dir: Path) -> None:
    """Waits until no owner holds the directory."""

    def wait() -> None:
        with lock_path(data_dir).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    await asyncio.wait_for(asyncio.to_thread(wait), 20)


async def test_workers_of_two_processes_share_one_owner_and_load_no_chroma(data_dir: Path) -> None:
    store = await opened(data_dir)
    await store.put([entry()])
    owner = owner_of(data_dir)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ANOTHER_WORKER, str(data_dir), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await worker.communicate()
    assert (worker.returncode, said.split()) == (0, [b"False"])
    assert [found.memory.text for found in await store.load("p", "ann")] == [SECRET, f"seen: {SECRET}"]
    assert owner_of(data_dir) == owner
    await store.aclose()


async def test_workers_that_start_at_once_get_the_same_owner(data_dir: Path) -> None:
    stores = await asyncio.gather(*(opened(data_dir) for _ in range(4)))
    assert len({(await store.facts()).store_id for store in stores}) == 1
    assert log_path(data_dir).read_text().count("owns the directory") == 1
    for store in stores:
        await store.aclose()


async def test_the_owner_outlives_the_worker_that_started_it(data_dir: Path) -> None:
    opening = f"""
import asyncio
from pathlib import Path
from litellm_memory.settings import StoreSettings
from litellm_memory.store import open_store
asyncio.run(open_store(StoreSettings(), Path({str(data_dir)!r}), embedder="test", dimension=2))
"""
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", opening)
    assert await worker.wait() == 0
    owner = owner_of(data_dir)
    store = await opened(data_dir)
    assert owner_of(data_dir) == owner
    await store.aclose()


async def test_what_was_under_way_when_an_owner_was_killed_is_done_by_the_next_which_has_all_that_was_acknowledged(
    data_dir: Path,
) -> None:
    store = await opened(data_dir)
    await store.put([entry()])
    killed = owner_of(data_dir)
    os.kill(killed.pid, signal.SIGSTOP)
    under_way = asyncio.create_task(store.put([entry("asked twice")]))
    await asyncio.sleep(0)  # lets it be sent
    os.kill(killed.pid, signal.SIGKILL)
    await under_way
    both = [entry().memory, entry("asked twice").memory]
    found = await store.get("p", [memory.id for memory in both])
    assert sorted((one.memory for one in found), key=lambda one: one.id) == sorted(both, key=lambda one: one.id)
    assert owner_of(data_dir).pid != killed.pid
    await store.aclose()


async def test_an_owner_that_does_not_answer_fails_a_read_after_its_deadline(data_dir: Path) -> None:
    store = await opened(data_dir)
    os.kill(owner_of(data_dir).pid, signal.SIGSTOP)
    with pytest.raises(StoreError, match="did not answer within 2 s"):
        await store.load("p", "ann")
    os.kill(owner_of(data_dir).pid, signal.SIGCONT)
    await store.health()
    await store.aclose()


@pytest.mark.parametrize("message", [{}, {"id": 7}, {"id": 7, "operation": []}, {"id": 7, "operation": "count"}])
async def test_a_message_that_asks_for_nothing_is_answered_with_an_error(
    data_dir: Path, message: dict[str, object]
) -> None:
    store = await opened(data_dir)
    reader, writer = await asyncio.open_unix_connection(owner_of(data_dir).socket)
    async with asyncio.timeout(30):
        assert await frames.receive(reader) == {"version": frames.VERSION}
        writer.write(frames.pack(message))
        answer = await frames.receive(reader)
    writer.close()
    assert answer is not None
    assert (answer["id"], "error" in answer) == (message.get("id"), True)
    await store.aclose()


async def test_an_owner_leaves_when_its_last_worker_has_left_and_what_it_kept_is_there_again(data_dir: Path) -> None:
    store = await opened(data_dir, idle_seconds=0.1)
    await store.put([entry()])
    await store.aclose()
    await has_left(data_dir)
    assert (read_record(data_dir), socket_path(data_dir).exists()) == (None, False)
    again = await opened(data_dir)
    assert [found.memory for found in await again.load("p")] == [entry().memory]
    await again.aclose()


async def test_an_owner_that_nobody_ever_calls_leaves_too(data_dir: Path) -> None:
    assert await run_owner(data_dir) == 0


async def test_an_owner_told_to_stop_answers_first_and_the_next_call_starts_another(data_dir: Path) -> None:
    store = await opened(data_dir)
    stopped = owner_of(data_dir)
    under_way = asyncio.create_task(store.put([entry()]))
    for _ in range(2):  # Writing looks at the store first, so its second request is sent when this is answered twice.
        await store.health()
    os.kill(stopped.pid, signal.SIGTERM)
    await under_way
    await has_left(data_dir)
    assert [found.memory for found in await store.load("p")] == [entry().memory]
    await store.aclose()


async def test_a_second_owner_leaves_the_directory_to_the_first(data_dir: Path) -> None:
    store = await opened(data_dir)
    first = owner_of(data_dir)
    assert await run_owner(data_dir) == 0
    assert owner_of(data_dir) == first
    await store.health()
    await store.aclose()


async def test_all_that_an_owner_makes_is_for_its_user_alone(data_dir: Path) -> None:
    store = await opened(data_dir)
    await store.put([entry()])
    made = modes(data_dir)
    assert made.keys() >= {data_dir.name, "owner.lock", "owner.log", "owner.sock", "chroma.sqlite3"}
    assert {name: mode for name, mode in made.items() if mode & 0o077} == {}
    await store.aclose()


def modes(directory: Path) -> dict[str, int]:
    """The permissions of the directory and of all that is in it, by name."""
    return {path.name: path.stat().st_mode & 0o777 for path in (directory, *directory.rglob("*"))}


async def test_a_path_too_long_for_a_socket_leads_to_a_private_temporary_directory(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30)
    store = await opened(data_dir, idle_seconds=0.1)
    path = Path(owner_of(data_dir).socket)
    assert path == socket_path(data_dir)
    assert (len(os.fsencode(path)) <= SOCKET_PATH_BYTES, path.parent.stat().st_mode & 0o777) == (True, 0o700)
    await store.put([entry()])
    await store.aclose()
    await has_left(data_dir)
    path.parent.rmdir()


def test_a_directory_that_others_may_enter_is_not_trusted_with_a_socket(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    for name in ("open", "link"):
        with pytest.raises(StoreError, match="open to other users"):
            make_private(tmp_path / name)


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        pytest.param("elsewhere", "process 7 on host elsewhere: one data directory serves one host", id="another host"),
        pytest.param(socket.gethostname(), "Process 7 owns .* end that process", id="this host"),
    ],
)
async def test_a_directory_that_a_silent_process_holds_is_refused(tmp_path: Path, host: str, complaint: str) -> None:
    with lock_path(tmp_path).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        json.dump(asdict(OwnerRecord(7, host, str(tmp_path / "owner.sock"))), lock)
        lock.flush()
        collections = OwnerCollections(tmp_path, open_seconds=0.5)
        for _ in range(2):
            with pytest.raises(StoreError, match=complaint):
                await collections.count("any")
        await collections.aclose()


async def test_an_owner_of_another_version_is_not_spoken_to(tmp_path: Path) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frames.pack({"version": frames.VERSION + 1}))
        writer.close()

    path = tmp_path / "owner.sock"
    lock_path(tmp_path).write_text(json.dumps(asdict(OwnerRecord(7, socket.gethostname(), str(path)))))
    async with await asyncio.start_unix_server(greet, path):
        collections = OwnerCollections(tmp_path)
        with pytest.raises(StoreError, match="Another version"):
            await collections.count("any")
        await collections.aclose()


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=f"{tmp_path}/file/data cannot be written"):
        await opened(tmp_path / "file" / "data")


async def test_a_damaged_chroma_does_not_open_and_the_error_and_the_log_say_why(data_dir: Path) -> None:
    (data_dir / "chroma").mkdir(parents=True)
    (data_dir / "chroma" / "chroma.sqlite3").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError, match="file is not a database") as failure:
        await opened(data_dir)
    assert str(failure.value) in log_path(data_dir).read_text()


async def test_the_log_never_holds_what_is_remembered(data_dir: Path) -> None:
    collections = OwnerCollections(data_dir)
    bad = Rows(["an id"], [SECRET], [{"about": SECRET}], np.array([[np.nan, 1]], np.float32))
    with pytest.raises(StoreError, match="Chroma failed") as failure:
        await collections.upsert("memories-test", bad)
    written = log_path(data_dir).read_text()
    assert "upsert: Chroma failed" in written
    assert SECRET not in written + str(failure.value)
    await collections.aclose()


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"id": 1, "value": None}, id="nothing"),
        pytest.param({"id": 2, "named": {"where": {"ns": "ä"}, "limit": 3}, "arguments": ["a", ["b"]]}, id="a request"),
    ],
)
async def test_a_message_arrives_as_it_was_sent(message: frames.Message) -> None:
    assert await frames.receive(fed(frames.pack(message))) == message


async def test_rows_arrive_as_they_were_sent() -> None:
    sent = Rows(["a", "b"], ["x", ""], [{"n": 1}, {"n": None}], np.array([[1, 0.5], [2, 3]], np.float32))
    message = await frames.receive(fed(frames.pack({"rows": sent})))
    assert message is not None
    got: Rows = message["rows"]
    assert (got.ids, got.documents, got.metadatas) == (sent.ids, sent.documents, sent.metadatas)
    assert np.array_equal(got.vectors, sent.vectors)


@pytest.mark.parametrize("cut", [0, 3, 4, -1])
async def test_a_message_that_breaks_off_is_the_end(cut: int) -> None:
    assert await frames.receive(fed(frames.pack({"id": 1, "value": "x"})[:cut])) is None


def fed(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_an_owner_opens_every_collection_before_anybody_reads_from_it(tmp_path: Path) -> None:
    """Chroma reads a collection's whole index at its first use, which the first list after a start waited for."""
    collections = await open_directory(tmp_path / "chroma")
    store = await open_collections(collections, Layout("buckets", "test", 2))
    users = [f"user-{number}" for number in range(8)]
    ids = [memory_id(namespace("p", user), "one", key=b"k") for user in users]
    memories = [Memory(one, "p", user, "Hi.", "fact", NOON) for one, user in zip(ids, users, strict=True)]
    await store.put([Entry(memory, None) for memory in memories])
    get, read = collections.get, set()

    async def noted(name: str, asked: Sequence[str], *, vectors: bool = True) -> Rows:
        read.add(name)
        return await get(name, asked, vectors=vectors)

    collections.get = noted  # type: ignore[method-assign]  # it notes what is read
    await open_all(collections)
    assert read == {store.layout.collection(one) for one in ids}
    assert len(read) > 1
    await collections.aclose()


async def test_a_request_that_cannot_be_written_because_the_owner_ended_leaves_no_error_behind() -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    ours, owners = socket.socketpair()
    connection = Connection(*await asyncio.open_unix_connection(sock=ours))
    large = np.zeros(2**22, np.uint8).tobytes()
    asking = asyncio.create_task(connection.ask(5, "put", large))
    await asyncio.to_thread(owners.recv, 1)
    owners.close()
    with pytest.raises(StoreError):
        await asking
    await connection.ended()
    del asking
    gc.collect()
    await connection.aclose()
    assert complaints == []
