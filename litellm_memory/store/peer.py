"""A process at the other end of the owner's socket, and what an owner may do for it besides serving Chroma."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from litellm_memory.errors import StoreError
from litellm_memory.store import frames


class Peer:
    """A connected worker, as the owner sees it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[object]] = {}

    async def ask(self, call: str, *arguments: object) -> object:
        """The worker's answer. Raises StoreError when it is gone, CallFailedError when the call failed there."""
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(frames.pack({"id": number, "call": call, "arguments": arguments}))
            return await answer
        finally:
            del self._waiting[number]

    def settle(self, message: frames.Message) -> None:
        """Hands over the worker's answer to a call."""
        answer = self._waiting.get(message["answers"])
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(CallFailedError(message["type"], message["error"]))
        else:
            answer.set_result(message["value"])

    def notice(self) -> None:
        """Tells the worker that memories have changed; does not wait."""
        self._writer.write(frames.pack({"notice": "changed"}))

    async def send(self, message: frames.Message) -> None:
        """Sends an answer; a worker that has disconnected needs none."""
        with suppress(ConnectionError):
            self._writer.write(frames.pack(message))
            await self._writer.drain()

    def close(self) -> None:
        """Ends the connection and what waits for it."""
        self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(StoreError("The worker that was asked is gone."))


class CallFailedError(Exception):
    """A call failed in the worker: the name of the exception's class there, and its sentence if it has one."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Service(Protocol):
    """What an owner does besides Chroma: ``answers`` are its operations by name, called with the asking worker."""

    answers: Mapping[str, Callable[..., Awaitable[object]]]

    def left(self, peer: Peer) -> None:
        """A worker has disconnected."""

    async def aclose(self) -> None:
        """Ends what it does."""
