"""A Chroma server on loopback, as the store's ``server`` mode speaks to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bed.proxy import free_port


def start_chroma(directory: Path, port: int) -> subprocess.Popen[bytes]:
    """The server's process; it does not answer yet."""
    run = "from chromadb.cli.cli import app; app()"
    arguments = ["run", "--path", str(directory), "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-c", run, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory
    )


def wait_for_chroma(port: int) -> None:
    """Returns when the server answers."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=7)) as http:
        http.get(f"http://127.0.0.1:{port}/api/v2/heartbeat").raise_for_status()


def make_database(port: int, name: str) -> None:
    """Makes an empty database."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v2") as http:
        http.post("/tenants/default_tenant/databases", json={"name": name}).raise_for_status()


@contextmanager
def chroma_server(directory: Path) -> Iterator[int]:
    """The port of a server that answers, and ends afterwards."""
    port = free_port()
    process = start_chroma(directory, port)
    try:
        wait_for_chroma(port)
        yield port
    finally:
        process.terminate()
        process.wait()
