"""The loopback provider: answers in every wire format, and remembers each request exactly as it came in."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bed.answers import Answer, Received, error, format_of
from bed.loopback import Loopback

LONGEST_WAIT = 30.0
"""Seconds after which a gate that no test opened opens by itself."""


class Provider(Loopback):
    """A provider of every kind on one free port of loopback. Use it as a context manager.

    Requests that nothing else is scripted for are answered by ``answer``; ``script`` queues what the next ones get.
    """

    def __init__(self) -> None:
        super().__init__(self._serve)
        self.answer = Answer()
        self._scripted: deque[Answer] = deque()
        self._received: list[Received] = []
        self._changed = threading.Condition()

    def script(self, *answers: Answer) -> None:
        """Queue what the next requests are answered with, one each."""
        with self._changed:
            self._scripted.extend(answers)

    def reset(self) -> None:
        """Forget what was received and scripted, and answer plainly again."""
        with self._changed:
            self._received.clear()
            self._scripted.clear()
            self.answer = Answer()

    def take(self) -> list[Received]:
        """Everything received since the last take, in order."""
        with self._changed:
            taken, self._received = self._received, []
            return taken

    def wait_for(self, count: int, *, within: float = 30.0) -> list[Received]:
        """The first ``count`` requests since the last take, left in place; TimeoutError after ``within`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._received) >= count, within):
                raise TimeoutError(f"{len(self._received)} of {count} requests reached the provider")
            return self._received[:count]

    def _remember(self, received: Received) -> Answer:
        with self._changed:
            self._received.append(received)
            self._changed.notify_all()
            return self._scripted.popleft() if self._scripted else self.answer

    async def _serve(self, request: Request) -> Response:
        received = _received(request, await request.body())
        answer = self._remember(received)
        if answer.gate_after == 0:
            await _pass(answer.gate)
        if answer.status != 200:
            return JSONResponse(error(answer), answer.status)
        spoken = format_of(received)
        if spoken.frames is None or not spoken.streams(received):
            return JSONResponse(spoken.whole(answer, received))
        return StreamingResponse(_stream(spoken.frames(answer, received), answer), media_type=spoken.media)


async def _stream(frames: list[bytes], answer: Answer) -> AsyncIterator[bytes]:
    for number, frame in enumerate(frames[: answer.frames]):
        if number and number == answer.gate_after:
            await _pass(answer.gate)
        yield frame
    if answer.breaks:
        raise ConnectionAbortedError("this answer is scripted to break off")


async def _pass(gate: threading.Event | None) -> None:
    if gate is not None:
        await asyncio.to_thread(gate.wait, LONGEST_WAIT)


def _received(request: Request, raw: bytes) -> Received:
    try:
        body: Any = json.loads(raw)
    except ValueError:
        body = None
    return Received(
        method=request.method,
        path=request.url.path,
        query=dict(request.query_params),
        headers={name.lower(): value for name, value in request.headers.items()},
        raw=raw,
        body=body,
    )
