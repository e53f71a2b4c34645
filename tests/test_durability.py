"""Files are damaged, full, locked or of another version: it is said in one sentence, and what can be read is kept."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bed.data import end_owner, let_go
from bed.engines import opened_engine
from bed.proxy import CHECKOUT, free_port
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from litellm_memory.cli import app
from litellm_memory.database.tables import SCHEMA_VERSION
from litellm_memory.engine import Engine
from litellm_memory.files.address import log_path, unfilled_path
from litellm_memory.ledger import Ledger, LedgerError
from litellm_memory.models import Memory, namespace
from litellm_memory.settings import Settings
from litellm_memory.store import Entry, memory_id, verify

DIMENSION = 384
MANY = 130
"""More than Chroma keeps in its log alone."""


def memory(number: int) -> Memory:
    made = memory_id(namespace("p", "ann"), str(number), key=b"k")
    said = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    return Memory(made, "p", "ann", f"Crate {number} holds pears.", "fact", said, tokens=4)


def vector(number: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(number).normal(size=DIMENSION)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


KEPT = [memory(number) for number in range(MANY)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config whose data directory holds memories, and which nobody uses any more; tests copy it."""
    home = tmp_path_factory.mktemp("whole")
    write_config(home)

    async def fill() -> None:
        async with opened_engine(home / ".litellm-memory") as engine:
            await engine.memories.store.put([Entry(kept, vector(number)) for number, kept in enumerate(KEPT)])

    asyncio.run(fill())
    asyncio.run(let_go(home / ".litellm-memory"))
    return home


def write_config(home: Path) -> None:
    section = {"sidecar": {"port": free_port()}, "recall": {"deadline_ms": 5000}}
    config = {"litellm_settings": {"callbacks": ["litellm_memory.handler"]}, "litellm_memory": section}
    (home / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it; its owner, if one was started, is told to leave at the end."""
    shutil.copytree(whole, tmp_path / "home")
    write_config(tmp_path / "home")
    yield tmp_path / "home"
    end_owner(tmp_path / "home" / ".litellm-memory")


async def problem(data_dir: Path) -> str | None:
    """What `/ready` says of the store or the ledger of this directory; None when memory works."""
    engine = Engine(Settings(data_dir=data_dir), count=len)
    engine.open()
    try:
        async with asyncio.timeout(30):
            while True:
                said = {part: text for part, text in engine.health.problems().items() if part in ("ledger", "store")}
                if engine.health.ready:
                    return None
                found = [text for text in said.values() if "still opening" not in text]
                if found:
                    return found[0]
                await asyncio.sleep(0.02)
    finally:
        await engine.aclose()


def check(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", "--config", str(home / "config.yaml"), "--json", *arguments])


def errors(checked: Result) -> list[str]:
    return [finding["what"] for finding in json.loads(checked.stdout) if finding["level"] == "error"]


async def kept_in(data_dir: Path) -> list[Memory]:
    async with opened_engine(data_dir) as engine:
        return sorted(await engine.memories.all("p", "ann"), key=lambda kept: kept.created)


# --- damaged files ---


def index_file(name: str) -> Callable[[Path], Path]:
    return lambda data_dir: next((data_dir / "chroma").glob(f"*/{name}"))


def database(data_dir: Path) -> Path:
    return data_dir / "chroma" / "chroma.sqlite3"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scrambled(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(np.random.default_rng(1).bytes(len(data)))


def overwritten(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


LONG = pytest.mark.long
INDEX_DAMAGE = [
    pytest.param(index_file("data_level0.bin"), cut, "data_level0.bin is cut", id="vectors cut"),
    pytest.param(index_file("data_level0.bin"), scrambled, "a link leads nowhere", id="vectors scrambled"),
    pytest.param(index_file("length.bin"), cut, "length.bin is cut", id="lengths cut", marks=LONG),
    pytest.param(index_file("header.bin"), cut, "header.bin is cut", id="header cut", marks=LONG),
    pytest.param(index_file("index_metadata.pickle"), cut, "index_metadata.pickle is cut", id="ids cut", marks=LONG),
    pytest.param(
        index_file("index_metadata.pickle"), Path.unlink, "index_metadata.pickle is gone", id="ids gone", marks=LONG
    ),
]
STORE_DAMAGE = [
    pytest.param(database, overwritten, "file is not a database", id="overwritten", marks=LONG),
    pytest.param(database, Path.unlink, "chroma.sqlite3 is gone", id="gone", marks=LONG),
    pytest.param(database, emptied, "no such table", id="emptied"),
]


@pytest.mark.parametrize(("file", "damage", "named"), STORE_DAMAGE)
async def test_a_damaged_store_is_named_with_the_remedy_and_left_alone(
    file: Callable[[Path], Path], damage: Callable[[Path], None], named: str, home: Path
) -> None:
    data_dir = home / ".litellm-memory"
    damage(file(data_dir))
    said = await problem(data_dir)
    assert said is not None
    assert named in said
    assert "litellm-memory check --rebuild" in said
    [found] = errors(await asyncio.to_thread(check, home))
    assert found == said


@pytest.mark.parametrize(("file", "damage", "named"), INDEX_DAMAGE)
async def test_a_damaged_index_is_made_anew_by_itself(
    file: Callable[[Path], Path], damage: Callable[[Path], None], named: str, home: Path
) -> None:
    data_dir = home / ".litellm-memory"
    damage(file(data_dir))
    async with opened_engine(data_dir) as engine:
        entries = await engine.memories.store.load("p", "ann")
        assert sorted((e.memory for e in entries), key=lambda kept: kept.created) == KEPT
        assert {e.vector is None for e in entries} == {True}
        await engine.memories.store.put([Entry(kept, vector(number)) for number, kept in enumerate(KEPT)])
        await verify(engine.memories.store)
    assert f"An index was damaged ({named})" in log_path(data_dir).read_text()


async def test_an_index_whose_making_broke_off_is_finished_by_the_next_owner(home: Path) -> None:
    data_dir = home / ".litellm-memory"
    with closing(sqlite3.connect(database(data_dir))) as file:
        [name, dimension] = file.execute("SELECT name, dimension FROM collections WHERE dimension > 0").fetchone()
    cut(index_file("data_level0.bin")(data_dir))
    shutil.rmtree(index_file("data_level0.bin")(data_dir).parent)
    unfilled_path(data_dir).write_text(json.dumps({name: dimension}))
    assert await kept_in(data_dir) == KEPT
    assert not unfilled_path(data_dir).exists()


async def test_a_store_is_made_anew_from_its_texts(home: Path) -> None:
    data_dir = home / ".litellm-memory"
    cut(index_file("data_level0.bin")(data_dir))
    checked = await asyncio.to_thread(check, home, "--rebuild")
    assert (checked.exit_code, errors(checked)) == (0, []), checked.output
    assert f"made anew with {MANY} memories" in checked.stderr
    assert await kept_in(data_dir) == KEPT
    assert len(list((data_dir / "aside").iterdir())) == 1


async def test_a_store_that_is_lost_is_begun_anew_only_when_that_is_asked_for(home: Path) -> None:
    data_dir = home / ".litellm-memory"
    shutil.rmtree(data_dir / "chroma")
    said = await problem(data_dir)
    assert said is not None
    assert said.startswith("Chroma holds another store")
    await let_go(data_dir)
    checked = await asyncio.to_thread(check, home, "--rebuild")
    assert (checked.exit_code, errors(checked)) == (0, []), checked.output
    assert await problem(data_dir) is None


async def test_nothing_is_made_anew_under_a_running_proxy(home: Path) -> None:
    async with opened_engine(home / ".litellm-memory") as engine:
        checked = await asyncio.to_thread(check, home, "--rebuild")
        assert (checked.exit_code, "is in use: stop the proxy" in checked.output) == (1, True)
        assert len(await engine.memories.all("p", "ann")) == MANY


async def test_a_damaged_ledger_is_made_anew_with_its_key(home: Path) -> None:
    data_dir = home / ".litellm-memory"
    path = data_dir / "ledger.db"
    before = Ledger.open(f"sqlite:///{path}")
    key = before.key
    before.close()
    damage_an_index(path)
    assert "The ledger is damaged." in errors(await asyncio.to_thread(check, home))
    await let_go(data_dir)
    checked = await asyncio.to_thread(check, home, "--rebuild")
    assert (checked.exit_code, errors(checked)) == (0, []), checked.output
    after = Ledger.open(f"sqlite:///{path}")
    assert after.key == key
    after.close()


def damage_an_index(path: Path) -> None:
    """Writes garbage over a page that holds the root of an index."""
    with closing(sqlite3.connect(path)) as file:
        page = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'paths_remote'").fetchone()[0]
        size = file.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(b"\xff" * size)


async def test_a_ledger_that_is_no_database_is_named_with_the_remedy(home: Path) -> None:
    overwritten(home / ".litellm-memory" / "ledger.db")
    said = await problem(home / ".litellm-memory")
    assert said is not None
    assert said.startswith("The ledger cannot be opened (SQLITE_NOTADB); restore a backup")


# --- versions ---


def to_schema(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE facts SET value = ? WHERE name = 'schema'", (str(version),))


def tables_of(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()


def test_a_newer_ledger_is_refused_and_left_as_it_is(home: Path) -> None:
    path = home / ".litellm-memory" / "ledger.db"
    to_schema(path, 99)
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE traces")
    before = tables_of(path)
    with pytest.raises(LedgerError, match=r"schema version 99 .* install the version that wrote it"):
        Ledger.open(f"sqlite:///{path}")
    assert tables_of(path) == before


async def test_an_older_ledger_is_copied_and_brought_up_to_date(home: Path) -> None:
    data_dir = home / ".litellm-memory"
    path = data_dir / "ledger.db"
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(
            "DROP TABLE answers;"
            "CREATE TABLE answers (answer VARCHAR(64) PRIMARY KEY, mark VARCHAR(64) NOT NULL, carried JSON NOT NULL,"
            " at DATETIME NOT NULL);"
            "DROP INDEX ix_blocks_shared; ALTER TABLE blocks DROP COLUMN shared;"
            "DROP INDEX ix_proposals_original; ALTER TABLE proposals DROP COLUMN original;"
            "INSERT INTO proposals VALUES ('m', 'n', 'p', 'ada', 'layer', '2026-01-01');"
            "INSERT INTO blocks VALUES ('m', 'the namespace', 'c', '', '[]', 1, '2026-01-01');"
            "INSERT INTO answers VALUES ('known', 'm', '[]', '2026-01-01'), ('unknown', 'x', '[]', '2026-01-01');"
            "DROP TABLE days;"
            "DROP INDEX ix_calls_message;"
            "ALTER TABLE calls DROP COLUMN quality; ALTER TABLE calls DROP COLUMN message;"
            "ALTER TABLE calls DROP COLUMN retried; ALTER TABLE calls DROP COLUMN learned;"
            'ALTER TABLE calls DROP COLUMN "key";'
            "ALTER TABLE traces DROP COLUMN learned;"
            "INSERT INTO calls VALUES ('c', '2026-01-01 23:59:59.000000', 'p', 'ada', NULL, NULL, 'gpt', 'gpt',"
            " 'openai', 'person', 0, 11, 3, 0, 0, 0.5, 1.5, NULL, 'success', NULL, 0, 'stop', 2, NULL);"
        )
    to_schema(path, 1)
    ledgers = await asyncio.gather(*(asyncio.to_thread(Ledger.open, f"sqlite:///{path}") for _ in range(3)))
    for ledger in ledgers:
        ledger.close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT answer, namespace FROM answers ORDER BY answer").fetchall() == [
            ("known", "the namespace"),
            ("unknown", ""),
        ]
        assert file.execute("SELECT value FROM facts WHERE name = 'schema'").fetchall() == [(str(SCHEMA_VERSION),)]
        assert file.execute("SELECT original FROM proposals").fetchall() == [(None,)]
        assert file.execute("SELECT day, user, client, calls, input_tokens, cost FROM days").fetchall() == [
            ("2026-01-01", "ada", "", 1, 11, 0.5)
        ]
    copy = data_dir / "aside" / "ledger-schema-1.db"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    with closing(sqlite3.connect(copy)) as file:
        assert file.execute("SELECT value FROM facts WHERE name = 'schema'").fetchall() == [("1",)]


# --- disks ---

ISOLATED = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]


def on_a_mount(script: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A command that sees what ``script`` mounts, and nobody else does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests")))}
    whole = [*ISOLATED, "sh", "-c", f"{script} && exec {shlex.join(command)}"]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, check=False)


def skip_without_mounts() -> None:
    if sys.platform != "linux" or on_a_mount("mount -t tmpfs tmpfs /mnt", "true").returncode != 0:
        pytest.skip("a mount of one's own is not permitted here")


@pytest.mark.long
def test_a_full_disk_loses_nothing_and_learning_goes_on_when_there_is_room(tmp_path: Path) -> None:
    skip_without_mounts()
    told = on_a_mount(
        f"mount -t tmpfs -o size=6m tmpfs {tmp_path}", sys.executable, "-m", "bed.full_disk", str(tmp_path)
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == {
        "ready while full": False,
        "the remedy is named": True,
        "kept before, and read while full": True,
        "kept before, and there afterwards": True,
        "said while full, and learned afterwards": 1,
    }


@pytest.mark.long
def test_a_directory_that_cannot_be_written_is_named(home: Path) -> None:
    skip_without_mounts()
    data_dir = home / ".litellm-memory"
    script = f"mount --bind {data_dir} {data_dir} && mount -o remount,ro,bind {data_dir}"
    command = [sys.executable, "-m", "litellm_memory", "check", "--json", "--config", str(home / "config.yaml")]
    told = on_a_mount(script, *command)
    assert told.returncode == 1
    found = [finding for finding in json.loads(told.stdout) if finding["level"] == "error"]
    assert found == [
        {
            "level": "error",
            "what": f"data_dir {data_dir} is not writable.",
            "remedy": "Give this user the directory, or name another.",
        }
    ]


# --- clocks ---


def test_what_was_learned_while_the_clock_was_ahead_is_in_force_when_it_is_right_again() -> None:
    ahead = datetime(2026, 6, 2, tzinfo=UTC)
    learned = Memory("m", "p", "ann", "I keep ducks.", "fact", created=ahead, valid_from=ahead - timedelta(seconds=2))
    assert learned.in_force(ahead - timedelta(days=1))
    later = Memory("m", "p", "ann", "I move in July.", "fact", created=ahead, valid_from=ahead + timedelta(days=30))
    assert not later.in_force(ahead)
