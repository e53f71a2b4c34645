"""Hosts that share memory: the files of their Chroma server, and proxies that each see a host name of their own."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from latency_servers import Server, entries, host
from latency_workload import TURNS, Ask, conversation

from litellm_memory.embedding import LocalModel
from litellm_memory.store import Entry, chroma
from litellm_memory.store.layout import Layout
from litellm_memory.store.memories import open_collections
from litellm_memory.store.records import rows_of

PEOPLE: Final = tuple(f"person-{number}" for number in range(50))
WRITTEN_AT_ONCE: Final = 5_000
WRITE_SECONDS: Final = 600.0
"""A write of so many takes longer than the store lets its own writes take."""
NEW_NAME: Final = 0x04000000
"""CLONE_NEWUTS of Linux: a host name of its own."""

Numbers = Iterator[int]


async def fill(directory: Path, memories: int) -> None:
    """Writes the memories into the files of a Chroma server that does not run yet, as a server would."""
    chroma.WRITE_SECONDS = WRITE_SECONDS
    collections = await chroma.open_directory(directory)
    layout = Layout("buckets", LocalModel.identity, LocalModel.dimension)
    await open_collections(collections, layout)
    by_collection: dict[str, list[Entry]] = {}
    for entry in entries(PEOPLE, memories):
        by_collection.setdefault(layout.collection(entry.memory.id), []).append(entry)
    for name, some in by_collection.items():
        for start in range(0, len(some), WRITTEN_AT_ONCE):
            await collections.upsert(name, rows_of(some[start : start + WRITTEN_AT_ONCE], LocalModel.dimension))
    await collections.aclose()


def ledger_at(port: int) -> str:
    """The ledger's URL on the PostgreSQL server of this port."""
    return f"postgresql+psycopg://memory@127.0.0.1:{port}/postgres"


@contextmanager
def started(name: str, root: Path, url: str, shared: Mapping[str, object]) -> Iterator[Server]:
    """A host of this name; ``shared`` says where memories and ledger are."""
    with ExitStack() as running:
        with named(name):
            server = running.enter_context(host(root / name, url, **shared))
        yield server


def named(name: str) -> AbstractContextManager[None]:
    """What starts inside sees this host name, where the system permits that."""
    return _named_anew(name) if may_name() else nullcontext()


def may_name() -> bool:
    """True where a process may have a host name of its own."""
    try:
        with _named_anew("anything"):
            return True
    except PermissionError:
        return False


@contextmanager
def _named_anew(name: str) -> Iterator[None]:
    # A keeper takes over at once what a process of its own host has left, and knows its host by this name.
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/uts").open() as before:
        if libc.unshare(NEW_NAME):
            raise PermissionError(ctypes.get_errno(), "no host name of its own")
        try:
            socket.sethostname(name)
            yield
        finally:
            libc.setns(before.fileno(), NEW_NAME)


def asks_of(numbers: Numbers, requests: int) -> list[tuple[int, Ask]]:
    """So many requests of new conversations, each with a number that says whose turn it is."""
    asks: list[tuple[int, Ask]] = []
    while len(asks) < requests:
        # The turn in which something is stated goes to another host in the next conversation.
        asks += enumerate(talk(numbers), start=len(asks) // TURNS)
    return asks[:requests]


def talk(numbers: Numbers) -> list[Ask]:
    """The requests of the next conversation."""
    return conversation(next(numbers), users=PEOPLE)
