"""Export and import: one memory per line, streamed, so that neither side holds all of them in RAM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field, StringConstraints, ValidationError

from litellm_memory.engine import Engine
from litellm_memory.models import (
    NAMESPACE_DIGITS,
    Memory,
    MemoryKind,
    Origin,
    Superseded,
    is_memory_id,
    memory_id,
    namespace,
)
from litellm_memory.redact import Redactor
from litellm_memory.sidecar.access import ReadPartition, WithEngine, WritePartition
from litellm_memory.sidecar.shapes import MemoryOut, Name, Said, Shape, Tags, aware

IMPORTED = Origin("import")
NDJSON = "application/x-ndjson"
LONGEST_LINE = 256 * 2**10
"""Bytes. A text has at most 8,000 characters, and a reply has the store's limit."""
BATCH = 64
"""Lines per batch of embedding and writing; what an interrupted import wrote is kept."""
MAX_REFUSALS = 100
"""At most this many rejected lines are listed in the answer."""


class OriginIn(Shape):
    """An origin as an import tells it."""

    role: Name = "import"
    client: Name | None = None
    call_id: Name | None = None


class SupersededIn(Shape):
    """A successor as an import tells it."""

    id: Name
    reason: Name


class ImportLine(Shape):
    """One line of an import: what an export writes, and everything but its text is optional."""

    text: Said
    id: Name | None = None
    kind: MemoryKind = "fact"
    tags: Tags = Field(default_factory=list)
    partition: str | None = None
    user: Name | None = None
    project: Name | None = None
    session: Name | None = None
    origin: OriginIn | None = None
    confidence: float = Field(1.0, ge=0, le=1)
    created: datetime | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    superseded_by: SupersededIn | None = None
    pinned: bool = False
    uses: int = Field(0, ge=0)
    last_used: datetime | None = None
    tokens: int | None = None
    reply: Annotated[str, StringConstraints(max_length=32_000)] | None = None
    review: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None


class RefusedLine(Shape):
    """A line of an import that could not be read, and why; lines are counted from 1."""

    line: int
    message: str


class ImportOut(Shape):
    """What became of the lines: kept, here already, or not readable (the first hundred of these are listed)."""

    imported: int
    known: int
    refused: int
    errors: list[RefusedLine]


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
    engine: WithEngine,
    partition: WritePartition,
    request: Request,
    user: Annotated[Name | None, Query(description="The user of lines that name none.")] = None,
) -> ImportOut:
    reading = _Import(engine, partition, user or engine.settings.identity.default_user_id)
    async for line in _split(request.stream()):
        await reading.take(line)
    return await reading.end()


async def _lines(pages: AsyncIterator[list[Memory]], redactor: Redactor) -> AsyncIterator[str]:
    async for page in pages:
        yield "".join(f"{MemoryOut.shown(memory, redactor).model_dump_json()}\n" for memory in page)


async def _split(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a body. Raises 413 for one longer than LONGEST_LINE."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > LONGEST_LINE:
            raise HTTPException(413, f"A line may have at most {LONGEST_LINE} bytes.")
    yield rest


class _Import:
    """One import in progress: lines become memories, which are stored in batches."""

    def __init__(self, engine: Engine, partition: str, user: str) -> None:
        self._engine = engine
        self._partition = partition
        self._user = user
        self._waiting: list[Memory] = []
        self._line = 0
        self._out = ImportOut(imported=0, known=0, refused=0, errors=[])

    async def take(self, line: bytes) -> None:
        """Queues the memory of a line, or records why there is none; blank lines are skipped."""
        self._line += 1
        if not line.strip():
            return
        try:
            self._waiting.append(self._memory(ImportLine.model_validate_json(line)))
        except ValidationError as error:
            self._refuse(error)
        if len(self._waiting) >= BATCH:
            await self._keep()

    async def end(self) -> ImportOut:
        """The outcomes of all lines, once all are durable."""
        await self._keep()
        return self._out

    async def _keep(self) -> None:
        memories, self._waiting = self._waiting, []
        imported = await self._engine.memories.restore(memories) if memories else 0
        self._out.imported += imported
        self._out.known += len(memories) - imported

    def _refuse(self, error: ValidationError) -> None:
        self._out.refused += 1
        if len(self._out.errors) < MAX_REFUSALS:
            first = error.errors(include_url=False, include_input=False)[0]
            path = ".".join(str(part) for part in first["loc"]) or "line"
            self._out.errors.append(RefusedLine(line=self._line, message=f"{path}: {first['msg']}"))

    def _memory(self, line: ImportLine) -> Memory:
        user = line.user or self._user
        created = aware(line.created) if line.created else datetime.now(UTC)
        successor = line.superseded_by
        memory = Memory(
            id=self._id(user, line.id or f"{line.project}\n{line.session}\n{line.text}"),
            partition=self._partition,
            user=user,
            text=line.text,
            kind=line.kind,
            created=created,
            project=line.project,
            session=line.session,
            tags=tuple(line.tags),
            origin=Origin(line.origin.role, line.origin.client, line.origin.call_id) if line.origin else IMPORTED,
            confidence=line.confidence,
            valid_from=aware(line.valid_from) if line.valid_from else created,
            valid_until=aware(line.valid_until) if line.valid_until else None,
            superseded_by=Superseded(self._id(user, successor.id), successor.reason) if successor else None,
            pinned=line.pinned,
            uses=line.uses,
            last_used=aware(line.last_used) if line.last_used else None,
            reply=line.reply or None,
            review=line.review,
        )
        return self._engine.redactor.memory(memory)

    def _id(self, user: str, given: str) -> str:
        """The id for an imported one: the same if it is valid for this user, else one derived from it,
        deterministically.

        An id starts with the digits of its namespace, so no line can reach a memory of another partition.
        """
        space = namespace(self._partition, user)
        if is_memory_id(given) and given.startswith(space[:NAMESPACE_DIGITS]):
            return given
        return memory_id(space, "import", given, key=self._engine.ledger.key)
