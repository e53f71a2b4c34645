"""The words between a worker and the owner process: four bytes of length, then one msgpack message."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import msgpack  # type: ignore[import-untyped]  # it ships no types
import numpy as np

from litellm_memory.store.collections import Rows

VERSION = 2
"""Both sides say it first. It changes with the messages, so that an older owner is noticed and not misunderstood."""

MOST_BYTES = 256 * 1024 * 1024

Message: TypeAlias = dict[str, Any]

_VECTORS, _ROWS = 1, 2


def pack(message: Message) -> bytes:
    """The message as a frame."""
    body = msgpack.packb(message, default=_extend)
    return len(body).to_bytes(4, "big") + bytes(body)


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """The next message, or None when the other side is gone. Raises ValueError for what is no message of ours."""
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > MOST_BYTES:
            raise ValueError(f"a frame of {length} bytes")
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    message = msgpack.unpackb(body, ext_hook=_read_extension)
    if not isinstance(message, dict):
        raise ValueError("a message that is no mapping")
    return message


def _extend(value: object) -> msgpack.ExtType:
    if isinstance(value, Rows):
        columns = (value.ids, value.documents, value.metadatas, value.vectors)
        return msgpack.ExtType(_ROWS, msgpack.packb(columns, default=_extend))
    if isinstance(value, np.ndarray):
        shape = msgpack.packb(value.shape)
        return msgpack.ExtType(_VECTORS, bytes([len(shape)]) + shape + value.astype("<f4").tobytes())
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _read_extension(code: int, data: bytes) -> object:
    if code == _ROWS:
        return Rows(*msgpack.unpackb(data, ext_hook=_read_extension))
    if code == _VECTORS:
        start = 1 + data[0]
        return np.frombuffer(data, "<f4", offset=start).reshape(msgpack.unpackb(data[1:start]))
    raise ValueError(f"extension {code}")
