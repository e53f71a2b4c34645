"""Whether the directory of a host's data can be used. Reads only: it makes nothing and opens nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from litellm_memory.setup.finding import Finding

SHARES: Final = frozenset(
    "nfs nfs4 cifs smb3 smbfs ceph glusterfs lustre afs fuse.sshfs fuse.glusterfs fuse.s3fs fuse.gcsfuse".split()
)
"""File systems of other hosts, on which SQLite's locks and its write-ahead log do not work."""
LEAST_FREE_BYTES: Final = 500 * 2**20
MOUNTS: Final = Path("/proc/mounts")
CONTAINER: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))


def about_data_dir(path: Path) -> list[Finding]:
    """Everything that is to say about the directory; an error first when it cannot be used as it is."""
    if wrong := _unusable(path):
        return [wrong]
    return [*_doubtful(path), Finding("ok", f"data_dir {path}" if path.exists() else f"data_dir {path} is to be made")]


def is_this_users(path: Path) -> bool:
    """False for what another user owns: a process of this user would leave files there that the owner cannot use."""
    return not path.exists() or not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def _unusable(path: Path) -> Finding | None:
    there = _nearest(path)
    if not there.is_dir():
        return Finding("error", f"data_dir {path} cannot be made: {there} is a file.", "Name another data_dir.")
    if not is_this_users(path):
        what = f"data_dir {path} belongs to another user, so its files were not looked at."
        return Finding("warning", what, "Run the command as the user that runs the proxy.")
    if not os.access(there, os.W_OK | os.X_OK):
        if there == path:
            return Finding(
                "error", f"data_dir {path} is not writable.", "Give this user the directory, or name another."
            )
        return Finding(
            "error", f"data_dir {path} cannot be made: {there} is not writable.", "Name a writable data_dir."
        )
    return None


def _doubtful(path: Path) -> Iterator[Finding]:
    if path.exists() and path.stat().st_mode & 0o077:
        what = f"data_dir {path} can be opened by other users of this host, and memories are plain text in it."
        yield Finding("warning", what, f"chmod 700 {path}")
    kind = kind_of_mount(_nearest(path).resolve(), MOUNTS.read_text() if MOUNTS.exists() else "")
    if kind in SHARES:
        what = f"data_dir {path} is on a network share ({kind}), where SQLite's locks do not hold: data may be lost."
        yield Finding("warning", what, "Name a data_dir on a disk of this host.")
    if kind == "overlay" and any(sign.exists() for sign in CONTAINER):
        what = f"data_dir {path} is inside this container, and is gone with it."
        yield Finding("warning", what, "Mount a volume there.")
    if (free := shutil.disk_usage(_nearest(path)).free) < LEAST_FREE_BYTES:
        what = f"The disk of data_dir has {free // 2**20} MB left."
        yield Finding("warning", what, "Free some: nothing can be kept on a full disk.")


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest directory above it that there is."""
    return next((one for one in (path, *path.parents) if one.exists()), path)


def kind_of_mount(path: Path, mounts: str) -> str | None:
    """The type of the file system that ``path`` is on, by the text of ``/proc/mounts``; None where it does not say."""
    found: tuple[int, str | None] = (-1, None)
    for line in mounts.splitlines():
        _, at, kind, *_ = [*line.split(), "", "", ""]
        place = Path(at.replace("\\040", " "))
        if at and path.is_relative_to(place):
            found = max(found, (len(place.parts), kind), key=lambda one: one[0])
    return found[1]
