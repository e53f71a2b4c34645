"""The protocol between a worker and the owner process: a length of four bytes, then one msgpack message."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import msgpack  # type: ignore[import-untyped]  # it ships no types
import numpy as np

from litellm_memory.store.collections import Rows

VERSION = 3
"""The protocol version, which both sides send first. Raise it when messages change: an older owner is then told
apart."""

MAX_FRAME_BYTES = 256 * 1024 * 1024
"""Largest frame in bytes, so that garbage on the socket cannot make a process allocate without bound."""

Message: TypeAlias = dict[str, Any]

_VECTORS, _ROWS = 1, 2


def pack(message: Message) -> bytes:
    """The message as a frame."""
    body = msgpack.packb(message, default=_extend)
    return len(body).to_bytes(4, "big") + bytes(body)


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None when the peer has closed. Raises ValueError for anything that is not a frame of ours."""
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > MAX_FRAME_BYTES:
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
