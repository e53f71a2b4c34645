"""CPU work of the sidecar away from the event loop, which serves LiteLLM's requests too: in pieces, by one thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

from fastapi import Response
from pydantic import BaseModel
from pydantic_core import to_json

from litellm_memory.gate.turns import OneEach

T = TypeVar("T")

PIECE: Final = 25
"""Items per piece: between two pieces it is another request's turn."""

# One thread, because each more that computes delays the event loop by another switch of the GIL.
_THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="litellm-memory-sidecar")
_EACH: Final = OneEach()


async def apart(work: Callable[[], T]) -> T:
    """What ``work`` returns, computed in the sidecar's thread; callers take turns."""
    async with _EACH.lock():
        return await asyncio.get_running_loop().run_in_executor(_THREAD, work)


async def shown_apart(items: Iterable[T], shape: Callable[[T], BaseModel]) -> AsyncIterator[list[bytes]]:
    """The JSON of each item, in pieces."""
    rest = iter(items)
    while piece := list(islice(rest, PIECE)):
        yield await apart(lambda piece=piece: [shape(item).model_dump_json().encode() for item in piece])  # type: ignore[misc]


async def answer_with(name: str, items: Sequence[T], shape: Callable[[T], BaseModel], **others: object) -> Response:
    """A JSON object with the list ``name`` of all items, and ``others``."""
    rows = [row async for piece in shown_apart(items, shape) for row in piece]
    parts = [b'"%b":%b' % (key.encode(), to_json(value)) for key, value in others.items()]
    list_ = b'"%b":[%b]' % (name.encode(), b",".join(rows))
    return Response(b"{%b}" % b",".join((list_, *parts)), media_type="application/json")
