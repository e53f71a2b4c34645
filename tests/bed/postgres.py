"""A PostgreSQL server on loopback, where one is installed; it refuses to run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bed.proxy import free_port

INSTALLED = shutil.which("initdb") is not None and shutil.which("pg_ctl") is not None
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


@contextmanager
def postgres_server(directory: Path, *, durable: bool = False) -> Iterator[int]:
    """The port of an empty server that lets everybody in as ``memory``, and ends afterwards.

    Unless ``durable``, a commit does not wait for the disk.
    """
    data, port = directory / "postgres", free_port()
    data.mkdir()
    if NOBODY:
        os.chown(data, 65534, 65534)
        # All but the directory for temporary files, and the root above it.
        for above in data.parents[:-2]:
            above.chmod(above.stat().st_mode | 0o011)
    _run("initdb", "-D", str(data), "-U", "memory", "-A", "trust", "--no-sync")
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync={'on' if durable else 'off'}"
    )
    _run("pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield port
    finally:
        _run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


def _run(*command: str) -> None:
    subprocess.run([*NOBODY, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")
