"""A copy of all data of this host, made while the proxy runs, and its way back into another directory.

The order makes it consistent. The journal is copied first and once more at the end, so that nothing is in neither copy
of what the ledger has or has not taken over. The ledger comes before the memories: what it calls learned is in them,
and what it does not is learned again, under the same ids. Chroma's index files are those that its database knows: a
copy during which they changed is made again.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final

from litellm_memory import __version__
from litellm_memory.errors import LiteLLMMemoryError, StoreError
from litellm_memory.files.integrity import DATABASE, damaged_indexes
from litellm_memory.ledger import list_anew, schema_and_store
from litellm_memory.settings import Settings

FORMAT: Final = 1
"""The version of a backup's own layout."""
MANIFEST: Final = "manifest.json"
LEDGER, CHROMA, JOURNAL = "ledger.db", "chroma", "journal"
ATTEMPTS: Final = 10
"""Copies that are begun before a store that is being written all the time is given up."""
ARCHIVES: Final = (".tar", ".tar.gz", ".tgz")


class BackupError(LiteLLMMemoryError):
    """A backup cannot be made or used; the message says why and what to do."""


class _ChangedError(Exception):
    """A file changed, or went, while it was copied."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: who made it, from which ledger and store, and the sha256 of every file."""

    made: str
    version: str
    ledger_schema: int | None
    store: str | None
    files: Mapping[str, str]
    format: int = FORMAT


def back_up(settings: Settings, target: Path) -> Manifest:
    """Writes a backup into ``target``: a new directory, or an archive when its name ends like one. Raises BackupError.

    The files are private to this user. Blocks the calling thread.
    """
    if settings.store.mode != "embedded" or settings.ledger.url is not None:
        raise BackupError(
            "Only data in data_dir are backed up: save a Chroma server and a PostgreSQL by their own tools."
        )
    if not (settings.data_dir / LEDGER).exists():
        raise BackupError(f"There is nothing to back up in {settings.data_dir}.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} is there already: name a new one.")
    with _beside(target) as made:
        manifest = _copied(settings.data_dir, made)
        (made / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        _put(made, target)
    return manifest


def restore(source: Path, data_dir: Path) -> Manifest:
    """Puts a backup into ``data_dir``, which has to be new or empty. Raises BackupError, and leaves nothing then."""
    if data_dir.exists() and any(data_dir.iterdir()):
        raise BackupError(f"{data_dir} is not empty: restore into a new data_dir, and name that in the config.")
    with _beside(data_dir) as made:
        _unpack(source, made)
        manifest = _checked(made)
        (made / MANIFEST).unlink()
        # What was said or forgotten while the copy was made may be listed and not there, or the other way round.
        list_anew(made / LEDGER)
        _put(made, data_dir)
    return manifest


def _copied(data_dir: Path, made: Path) -> Manifest:
    for _ in range(ATTEMPTS):
        for part in made.iterdir():
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        try:
            _copy_all(data_dir, made)
            break
        except (_ChangedError, FileNotFoundError):
            continue
    else:
        raise BackupError("The data changed all the time while they were copied: try again in a quieter moment.")
    schema, store = schema_and_store(f"sqlite:///{made / LEDGER}")
    files = {str(path.relative_to(made)): _digest(path) for path in sorted(made.rglob("*")) if path.is_file()}
    return Manifest(datetime.now(UTC).isoformat(timespec="seconds"), __version__, schema, store, files)


def _copy_all(data_dir: Path, made: Path) -> None:
    """Copies everything in the order that makes it consistent. Raises _ChangedError or FileNotFoundError."""
    before = _copy_journal(data_dir, made)
    _copy_database(data_dir / LEDGER, made / LEDGER)
    if (data_dir / CHROMA / DATABASE).exists():
        _copy_chroma(data_dir / CHROMA, made / CHROMA)
    if not before <= _copy_journal(data_dir, made):
        raise _ChangedError


def _copy_journal(data_dir: Path, made: Path) -> set[str]:
    """The names of the segments that were copied; the last record of one may be cut off, which its reader expects."""
    segments = sorted(path for path in (data_dir / JOURNAL).glob("*") if path.is_file())
    (made / JOURNAL).mkdir(mode=0o700, exist_ok=True)
    for segment in segments:
        (made / JOURNAL / segment.name).unlink(missing_ok=True)
        shutil.copy2(segment, made / JOURNAL / segment.name)
    return {segment.name for segment in segments}


def _copy_database(path: Path, copy: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as old:
            copy.touch(mode=0o600)
            with closing(sqlite3.connect(copy)) as new:
                old.backup(new)
    except sqlite3.Error as error:
        raise BackupError(
            f"{path.name} cannot be copied ({type(error).__name__}): see `litellm-memory check`."
        ) from None


def _copy_chroma(directory: Path, copy: Path) -> None:
    copy.mkdir(mode=0o700)
    seen = _index_files(directory)
    _copy_database(directory / DATABASE, copy / DATABASE)
    for path in seen:
        (copy / path).parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copy2(directory / path, copy / path)
    try:
        changed = _index_files(directory) != seen or damaged_indexes(copy)
    except StoreError:
        changed = True
    if changed:
        raise _ChangedError


def _index_files(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file of Chroma's indexes with its size and time of change."""
    found = {path: path.stat() for path in sorted(directory.glob("*/*")) if path.is_file()}
    return {str(path.relative_to(directory)): (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def _unpack(source: Path, made: Path) -> None:
    """Copies what is in a backup; whatever permissions it has, the copy is private. Raises BackupError."""
    try:
        if source.is_dir():
            shutil.copytree(source, made, symlinks=True, dirs_exist_ok=True)
        else:
            with tarfile.open(source) as archive:
                # It refuses members that would lie outside, links out of it, and devices.
                archive.extractall(made, filter=_as_it_was)
        for path in (made, *made.rglob("*")):
            if path.is_symlink():
                raise BackupError(f"This is no backup: {path.relative_to(made)} is a link.")
            path.chmod(stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXU)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{source} cannot be read as a backup ({type(error).__name__}).") from None


def _as_it_was(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    # That filter alone makes every file writable, and nobody reads on behind a segment of the journal that looks open.
    return tarfile.data_filter(member, path).replace(mode=member.mode & stat.S_IRWXU, deep=False)


def _checked(made: Path) -> Manifest:
    """The manifest of an unpacked backup that is whole and that this version can use. Raises BackupError."""
    try:
        manifest = Manifest(**json.loads((made / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise BackupError(f"This is no backup: it has no {MANIFEST} that can be read.") from None
    if manifest.format != FORMAT:
        raise BackupError(f"The backup was made by litellm-memory {manifest.version}: install that, or a newer one.")
    there = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()} - {MANIFEST}
    if there != set(manifest.files):
        raise BackupError("The backup is not whole: it does not hold the files that its manifest names.")
    for name, digest in manifest.files.items():
        if _digest(made / name) != digest:
            raise BackupError(f"The backup is damaged: {name} is not what was saved.")
    # Raises LedgerError for a schema that only a newer version knows.
    schema_and_store(f"sqlite:///{made / LEDGER}")
    return manifest


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A private directory on the disk of ``target``, which goes unless it was put into its place."""
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}.") from None
    try:
        yield made
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _put(made: Path, target: Path) -> None:
    """Moves a whole directory, or an archive of it, into its place."""
    if not target.name.endswith(ARCHIVES):
        if target.exists():
            target.rmdir()
        made.rename(target)
        return
    packed = made.with_suffix(".packed")
    mode = "w" if target.suffix == ".tar" else "w:gz"
    try:
        packed.touch(mode=0o600)
        with tarfile.open(packed, mode) as archive:  # type: ignore[call-overload]  # one of two modes
            archive.add(made, arcname=".")
        packed.rename(target)
    finally:
        packed.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
