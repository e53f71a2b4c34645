"""A backup made while memory runs is whole, and comes back in another directory or not at all."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from bed.proxy import free_port
from test_command_line import done, run, serving

from litellm_memory.care.backup import MANIFEST, BackupError, back_up, restore
from litellm_memory.journal.log import Log, Position
from litellm_memory.ledger import Ledger
from litellm_memory.settings import Settings


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A ledger and a journal, of a proxy that was never asked for anything."""
    there = tmp_path / "data"
    there.mkdir(mode=0o700)
    Ledger.open(f"sqlite:///{there / 'ledger.db'}").close()
    assert Log(there / "journal").id
    return there


def settings_of(data_dir: Path, **sections: Any) -> Settings:
    return Settings(data_dir=data_dir, **sections)


def config_in(directory: Path) -> Path:
    directory.mkdir()
    path = directory / "config.yaml"
    memory = {"sidecar": {"port": free_port()}, "recall": {"deadline_ms": 5000}}
    path.write_text(yaml.safe_dump({"litellm_memory": memory}))
    return path


def test_what_runs_is_backed_up_and_comes_back_elsewhere(tmp_path: Path) -> None:
    here, there = config_in(tmp_path / "here"), config_in(tmp_path / "there")
    archive = tmp_path / "backup.tar.gz"
    with serving(here):
        gone = done("add", "The old office is in Porto.", config=here)
        kept = [done("add", text, config=here) for text in ("The office is in Lisbon.", "The lease ends in March.")]
        done("forget", gone["id"], config=here)
        assert done("backup", str(archive), config=here)["files"] > 0
    assert archive.stat().st_mode & 0o777 == 0o600
    done("restore", str(archive), config=there)
    with serving(there):
        assert sorted(one["id"] for one in done("list", config=there)) == sorted(one["id"] for one in kept)
        [best, *_] = done("search", "where is the office", config=there)
    assert best["memory"]["text"] == "The office is in Lisbon."
    again = run("restore", str(archive), config=there)
    assert (again.exit_code, "is not empty" in again.stderr) == (1, True)


@pytest.mark.parametrize("name", ["backup", "backup.tar", "backup.tgz"])
def test_a_backup_is_restored_byte_for_byte(data_dir: Path, tmp_path: Path, name: str) -> None:
    manifest = back_up(settings_of(data_dir), tmp_path / name)
    assert restore(tmp_path / name, tmp_path / "other") == manifest
    assert (tmp_path / "other" / "journal" / "id").read_text() == (data_dir / "journal" / "id").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "data", "other"])


def test_a_backup_of_nothing_or_onto_something_or_of_a_server_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        back_up(settings_of(tmp_path / "none"), tmp_path / "backup")
    (tmp_path / "taken").write_text("")
    with pytest.raises(BackupError, match="is there already"):
        back_up(settings_of(data_dir), tmp_path / "taken")
    with pytest.raises(BackupError, match="by their own tools"):
        back_up(settings_of(data_dir, store={"mode": "server"}), tmp_path / "backup")


def cut(backup: Path) -> None:
    (backup / "ledger.db").write_bytes(b"")


def lose(backup: Path) -> None:
    (backup / "journal" / "id").unlink()


def add(backup: Path) -> None:
    (backup / "more").write_text("")


def age(backup: Path) -> None:
    manifest = json.loads((backup / MANIFEST).read_text())
    (backup / MANIFEST).write_text(json.dumps({**manifest, "format": 99}))


def spoil(backup: Path) -> None:
    (backup / MANIFEST).write_text("{}")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (cut, "The backup is damaged: ledger.db"),
        (lose, "The backup is not whole"),
        (add, "The backup is not whole"),
        (age, "install that, or a newer one"),
        (spoil, "This is no backup"),
    ],
)
def test_what_is_not_whole_is_not_restored_and_leaves_nothing(
    data_dir: Path, tmp_path: Path, harm: Any, sentence: str
) -> None:
    back_up(settings_of(data_dir), tmp_path / "backup")
    harm(tmp_path / "backup")
    with pytest.raises(BackupError, match=sentence):
        restore(tmp_path / "backup", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data"]


@pytest.mark.parametrize("name", ["backup", "open.tar"])
def test_whatever_permissions_a_copy_has_what_is_restored_is_private(data_dir: Path, tmp_path: Path, name: str) -> None:
    back_up(settings_of(data_dir), tmp_path / "backup")
    for path in (tmp_path / "backup", *(tmp_path / "backup").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)
    with tarfile.open(tmp_path / "open.tar", "w") as archive:
        archive.add(tmp_path / "backup", arcname=".")
    restore(tmp_path / name, tmp_path / "other")
    modes = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "other", *(tmp_path / "other").rglob("*"))}
    assert {(path.is_dir(), mode) for path, mode in modes.items()} == {(True, 0o700), (False, 0o400)}


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_a_restored_journal_is_read_to_its_end(data_dir: Path, tmp_path: Path, name: str) -> None:
    log = Log(data_dir / "journal")
    log.append(("T", {"first": 1}))
    log.rotate()
    log.append(("T", {"second": 2}))
    back_up(settings_of(data_dir), tmp_path / name)
    restore(tmp_path / name, tmp_path / "other")
    restored, records, position = Log(tmp_path / "other" / "journal"), [], Position(1)
    for _ in range(2):
        more, position = restored.read(position, b"T")
        records += more
    assert records == [("T", {"first": 1}), ("T", {"second": 2})]
    for closed in (log, restored):
        closed.close()


@pytest.mark.parametrize("target", ["/etc/hostname", "../ledger.db", "nothing", "."])
def test_a_backup_with_a_link_is_none(data_dir: Path, tmp_path: Path, target: str) -> None:
    back_up(settings_of(data_dir), tmp_path / "backup")
    (tmp_path / "backup" / "journal" / "link").symlink_to(target)
    with pytest.raises(BackupError, match=r"journal/link is a link\."):
        restore(tmp_path / "backup", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    with pytest.raises(BackupError, match="cannot be read as a backup"):
        restore(tmp_path / "evil.tar", tmp_path / "deep" / "other")
    assert not (tmp_path / "outside").exists()
