"""Export and import: one memory per line, streamed, so that neither side holds all of them in RAM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from litellm_memory.care.given import Name, Shape
from litellm_memory.care.lines import ImportLines, LineRefusal
from litellm_memory.care.shown import MemoryOut
from litellm_memory.engine import Engine
from litellm_memory.gate.access import ReadPartition, ServedHere, WithAccess, WithEngine, WritePartition
from litellm_memory.gate.apart import apart, shown_apart
from litellm_memory.identity.layers import user_in
from litellm_memory.identity.projects import safe_project
from litellm_memory.models import Memory, MemoryKind
from litellm_memory.redact import Redactor

NDJSON = "application/x-ndjson"
LONGEST_LINE: Final = 256 * 2**10
"""Bytes. A text has at most 8,000 characters, and a reply has the store's limit."""
LARGEST_IMPORT: Final = 2**30
"""Bytes of one import."""
BATCH: Final = 64
"""Lines per batch of reading, embedding and writing; what an interrupted import wrote is kept."""
BATCH_BYTES: Final = LONGEST_LINE
"""A batch ends with the line that reaches this."""
SPLIT_BYTES: Final = 16 * 2**10
"""Bytes that are searched for line ends at a time."""
MAX_REFUSALS: Final = 100
"""At most this many rejected lines are listed in the answer."""
MAX_SHOWN: Final = 100
"""At most this many memories are shown in the answer to a dry run."""
MOST_REFUSED: Final = 1000
"""With more rejected lines, it is no file of memories, and the import ends."""
MOST_BLANK: Final = 100_000


class RefusedLine(Shape):
    """A line of an import that could not be read, and why; lines are counted from 1."""

    line: int
    message: str


class PlannedOut(Shape):
    """What an import would keep or learn, redacted; ``review``: why it would wait for its owner's word."""

    text: str
    kind: MemoryKind
    partition: str
    user: str
    project: str | None
    said: datetime | None
    review: str | None

    @classmethod
    def shown(cls, memory: Memory) -> PlannedOut:
        """A memory of a dry run, which is redacted already."""
        return cls(
            text=memory.text,
            kind=memory.kind,
            partition=memory.partition,
            user=memory.user,
            project=memory.project,
            said=memory.valid_from,
            review=memory.review,
        )


class ImportOut(Shape):
    """What became of the lines: kept, here already, or not readable (the first hundred of these are listed).

    ``memories`` is there in a dry run alone: the first hundred as they would be kept, redacted. ``waiting``: how many
    of all wait for their owner's word.
    """

    imported: int
    known: int
    refused: int
    errors: list[RefusedLine]
    waiting: int
    memories: list[PlannedOut]


router = APIRouter(prefix="/v1", tags=["export and import"])


@router.get(
    "/export",
    summary="All memories, one JSON object a line",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}, "description": "Newline-delimited JSON."}},
)
async def export_memories(
    engine: WithEngine,
    partition: ReadPartition,
    user: Annotated[Name | None, Query(description="One user; all users of the partition when left out.")] = None,
) -> StreamingResponse:
    return StreamingResponse(_lines(engine.memories.pages(partition, user), engine.redactor), media_type=NDJSON)


@router.post(
    "/import",
    summary="Keep memories, one JSON object a line; a memory that is here already stays as it is",
    openapi_extra={"requestBody": {"required": True, "content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def import_memories(
    served: ServedHere,
    access: WithAccess,
    partition: WritePartition,
    request: Request,
    user: Annotated[Name | None, Query(description="The user of lines that name none.")] = None,
    dry_run: Annotated[bool, Query(description="Only tell what would become of each line.")] = False,
) -> ImportOut:
    engine = served.engine
    whose = user_in(partition, user, engine.settings.identity.default_user_id)
    access.comply("learn", partition, whose)
    lines = ImportLines(partition, whose, engine.ledger.key, engine.redactor, safe_project)
    with alone(served.turns.importing, partition):
        importing = _Import(engine, lines, partial(access.comply, "learn", partition), dry=dry_run)
        async for batch in _batches(_split(request.stream())):
            await importing.take(batch)
        return importing.out


async def _lines(pages: AsyncIterator[list[Memory]], redactor: Redactor) -> AsyncIterator[bytes]:
    async for page in pages:
        async for rows in shown_apart(page, lambda memory: MemoryOut.shown(memory, redactor)):
            yield b"".join(b"%b\n" % row for row in rows)


@contextmanager
def alone(importing: set[str], partition: str) -> Iterator[None]:
    """Raises 429 while another import into this partition is running."""
    if partition in importing:
        raise HTTPException(429, "An import is running: wait until it has ended.", headers={"retry-after": "5"})
    importing.add(partition)
    try:
        yield
    finally:
        importing.discard(partition)


async def _split(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The lines of a body, some at a time. Raises 413 for a line or a body that is too large."""
    rest, size = bytearray(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > LARGEST_IMPORT:
            raise HTTPException(413, f"An import may have at most {LARGEST_IMPORT} bytes: send the others in another.")
        for start in range(0, len(chunk), SPLIT_BYTES):
            *lines, last = chunk[start : start + SPLIT_BYTES].split(b"\n")
            if lines:
                lines[0] = bytes(rest) + lines[0]
                rest.clear()
                yield lines
            rest += last
            if len(rest) > LONGEST_LINE:
                raise HTTPException(413, f"A line may have at most {LONGEST_LINE} bytes.")
    yield [bytes(rest)]


async def _batches(pieces: AsyncIterator[list[bytes]]) -> AsyncIterator[list[tuple[int, bytes]]]:
    """The lines with their numbers, in batches. Raises 422 for a body that is mostly blank."""
    batch: list[tuple[int, bytes]] = []
    size = number = blank = 0
    async for lines in pieces:
        for line in lines:
            number += 1
            size += len(line)
            if line and not line.isspace():
                batch.append((number, line))
            else:
                blank += 1
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if blank > MOST_BLANK:
            raise HTTPException(422, f"More than {MOST_BLANK} lines are blank.")
        # A chunk may have arrived whole, and then nothing else waits.
        await asyncio.sleep(0)
    yield batch


class _Import:
    """One import in progress: lines become memories, which are stored in batches."""

    def __init__(self, engine: Engine, lines: ImportLines, comply: Callable[[str], None], *, dry: bool) -> None:
        self.out = ImportOut(imported=0, known=0, refused=0, errors=[], waiting=0, memories=[])
        self._engine = engine
        self._lines = lines
        self._comply = comply
        self._dry = dry

    async def take(self, batch: list[tuple[int, bytes]]) -> None:
        """Keeps the memories of these lines. Raises 422 when too many lines were none, and 403 for a user of whom a
        policy does not allow it."""
        memories, refused = await apart(partial(self._lines.read, batch))
        for user in {memory.user for memory in memories}:
            self._comply(user)
        imported = await self._engine.memories.restore(memories, dry=self._dry) if memories else 0
        self.out.imported += imported
        self.out.known += len(memories) - imported
        self.out.waiting += sum(memory.review is not None for memory in memories)
        if self._dry:
            self.out.memories += map(PlannedOut.shown, memories[: MAX_SHOWN - len(self.out.memories)])
        self._refuse(refused)

    def _refuse(self, refused: list[LineRefusal]) -> None:
        self.out.refused += len(refused)
        room = MAX_REFUSALS - len(self.out.errors)
        self.out.errors += [RefusedLine(line=one.line, message=one.message) for one in refused[:room]]
        if self.out.refused > MOST_REFUSED:
            first, done = self.out.errors[0], self.out.imported + self.out.known
            raise HTTPException(
                422,
                f"More than {MOST_REFUSED} lines are no memories (line {first.line}: {first.message}); "
                f"of those before, {done} are here now.",
            )
