"""A route of the HTTP API that reads another product's export, in a process of its own, and keeps nothing of it."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from litellm_memory.api.portable import NDJSON
from litellm_memory.care.given import Name
from litellm_memory.gate.access import ServedHere, WritePartition
from litellm_memory.gate.turns import InTurn

LARGEST_EXPORT: Final = 256 * 2**20
"""Bytes of a file; the process that reads it needs some five times as much RAM while it does."""
SECONDS: Final = 120.0
"""For a file from its first byte to its last row; a large one takes a minute. Whoever sends or reads slowly does not
keep others waiting for longer."""
LONGEST_ROW: Final = 4 * 2**20
"""Bytes of a row of JSON: a conversation of almost as many, or a text of 8,000 characters and a reply of 32,000."""

router = APIRouter(prefix="/v1", tags=["export and import"])


@router.post(
    "/convert",
    summary="Read what another product exported, as lines or conversations that an import takes; nothing is kept",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}, "description": "Newline-delimited JSON, the format first."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def convert(
    served: ServedHere,
    _: WritePartition,
    request: Request,
    name: Annotated[Name, Query(description="The file's name; its ending tells texts from JSON.")] = "export.json",
    format: Annotated[Name | None, Query(description="What wrote it; guessed when left out.")] = None,
) -> StreamingResponse:
    reading = _read(served.turns.reading, request.stream(), [name, *([format] if format else [])])
    # The first row says whether it can be read at all, which is this answer's status.
    first = await anext(reading)
    return StreamingResponse(_chained(first, reading), media_type=NDJSON)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for row in rest:
        yield row


async def _read(turn: InTurn, body: AsyncIterator[bytes], arguments: list[str]) -> AsyncIterator[bytes]:
    """The rows of an export. Raises HTTPException: 413, 422 for a file that cannot be read."""
    process, ended = await _begun(turn, arguments)
    assert process.stdout is not None
    try:
        try:
            async with asyncio.timeout(SECONDS):
                await _send(process, body)
                first = await process.stdout.readline()
        except TimeoutError:
            raise HTTPException(422, f"This file takes longer than {SECONDS:.0f} s: split it.") from None
        if not first or "problem" in json.loads(first):
            problem = json.loads(first)["problem"] if first else "This file cannot be read."
            raise HTTPException(422, problem)
        yield first
        async for row in process.stdout:
            yield row
    finally:
        _end(process)
        await ended


async def _begun(turn: InTurn, arguments: list[str]) -> tuple[Process, asyncio.Task[None]]:
    """A process that reads an export, in the caller's turn, which lasts until it ends: after SECONDS at the latest."""
    begun: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(_run(turn, arguments, begun))
    try:
        either: tuple[asyncio.Future[Any], ...] = (begun, running)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        running.cancel()
        raise
    if not begun.done():
        await running
    return begun.result(), running


async def _run(turn: InTurn, arguments: list[str], begun: asyncio.Future[Process]) -> None:
    async with turn.taken():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "litellm_memory.foreign", *arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=LONGEST_ROW,
        )
        begun.set_result(process)
        # Whoever reads the rows may have stopped to, so it is not they who end it.
        late = asyncio.get_running_loop().call_later(SECONDS, _end, process)
        await process.wait()
        late.cancel()


def _end(process: Process) -> None:
    # It may have ended; one who left earlier leaves nothing behind.
    with suppress(ProcessLookupError):
        process.kill()


async def _send(process: Process, body: AsyncIterator[bytes]) -> None:
    assert process.stdin is not None
    size = 0
    # A process that cannot take it says why in its answer.
    with suppress(ConnectionError):
        async for chunk in body:
            size += len(chunk)
            if size > LARGEST_EXPORT:
                most = LARGEST_EXPORT // 2**20
                raise HTTPException(413, f"A file may have at most {most} MB: take conversations.json out of it alone.")
            process.stdin.write(chunk)
            await process.stdin.drain()
        process.stdin.close()
