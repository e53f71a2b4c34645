"""Turns: nobody waits for all that another caller asked, only for one piece of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakValueDictionary

from fastapi import HTTPException

CALLER: Final[ContextVar[str]] = ContextVar("litellm_memory_caller", default="")
"""The own partition of whoever makes the request that this task answers: a person has as many keys as they like."""


AT_ONCE: Final = 2
"""Requests of a caller that are served at once: each of sixteen lists of thousands of memories has a thread that reads
it, and every chat waits for all of them."""
WAIT_SECONDS: Final = 30.0
"""How long a request waits for its place: whoever does not read what was asked for keeps it."""
BUSY: Final = "Other requests of this key are not done yet: read their answers to the end, or close them."
_PLACES: Final = "litellm_memory.places"


class OneEach:
    """A lock of each caller: of what waits in a queue behind it, one thing at a time is theirs."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def lock(self) -> asyncio.Lock:
        """The lock of whoever makes this task's request; it is there for as long as somebody holds or awaits it."""
        return self._locks.setdefault(CALLER.get(), asyncio.Lock())


class Places:
    """At most AT_ONCE requests of a caller are served at once; more of them wait, and nobody else's do."""

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def take(self, caller: str, scope: MutableMapping[str, Any]) -> None:
        """Waits for a place and has it until ``given_back``, which an app without that middleware never does.

        Raises 429 when none gets free in time.
        """
        held: list[asyncio.Semaphore] | None = scope.get(_PLACES)
        if held is not None and not held:
            place = self._places.setdefault(caller, asyncio.Semaphore(AT_ONCE))
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await place.acquire()
            except TimeoutError:
                raise HTTPException(429, BUSY, headers={"retry-after": "1"}) from None
            held.append(place)


@contextmanager
def given_back(scope: MutableMapping[str, Any]) -> Iterator[None]:
    """Whatever place the request of this ASGI scope takes inside is free again afterwards."""
    held: list[asyncio.Semaphore] = []
    scope[_PLACES] = held
    try:
        yield
    finally:
        for place in held:
            place.release()


class InTurn:
    """A lock for one thing at a time, which callers take in turn."""

    def __init__(self) -> None:
        self._each = OneEach()
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Waits for the turn of whoever makes this task's request, and has it until it is left."""
        async with self._each.lock(), self._one:
            yield


@dataclass(frozen=True, slots=True)
class Turns:
    """What one sidecar does one at a time, whichever of its doors a request comes by."""

    places: Places = field(default_factory=Places)
    preview: InTurn = field(default_factory=InTurn)
    """Reading a long conversation takes long."""
    reading: InTurn = field(default_factory=InTurn)
    """Reading another product's export takes RAM."""
    importing: set[str] = field(default_factory=set)
    """The partitions into which an import is running."""
