"""Lines of an import, each of which becomes a memory or is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from litellm_memory.care.given import MOST_USES, Moment, Name, Said, Shape, Tags
from litellm_memory.models import (
    LAYER,
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
from litellm_memory.screening import why_each_to_review

IMPORTED = Origin("import")


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
    created: Moment | None = None
    kept: Moment | None = Field(None, description="When it came here; read of what an export of here wrote.")
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    superseded_by: SupersededIn | None = None
    pinned: bool = False
    uses: int = Field(0, ge=0, le=MOST_USES)
    last_used: Moment | None = None
    tokens: int | None = None
    reply: Annotated[str, StringConstraints(max_length=32_000)] | None = None
    review: Annotated[str, StringConstraints(min_length=1, max_length=8000)] | None = None


def _names_in(line: ImportLine) -> list[str]:
    """The names in a line that an agent is shown with its memory; those of projects are made safe by themselves."""
    origin, successor = line.origin or OriginIn(), line.superseded_by
    given = (line.session, origin.role, origin.client, origin.call_id, successor and successor.reason)
    return [name for name in given if name]


@dataclass(frozen=True, slots=True)
class LineRefusal:
    """A line that is no memory, and why; lines are counted from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class ImportLines:
    """Reads the lines of an import into one partition. ``user``: whose are those that name none; ``key``: makes ids."""

    partition: str
    user: str
    key: bytes
    redactor: Redactor
    project: Callable[[str], str]
    """The name under which a project is kept."""

    def read(self, lines: Iterable[tuple[int, bytes]]) -> tuple[list[Memory], list[LineRefusal]]:
        """The memories of numbered lines, redacted, and which lines are none; blank ones are skipped.

        Each is screened as a message is, also one that looks like a line of an own export: anybody can write an id.
        """
        given: list[ImportLine] = []
        refused: list[LineRefusal] = []
        for number, line in lines:
            try:
                if line.strip():
                    given.append(ImportLine.model_validate_json(line))
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                path = ".".join(str(part) for part in first["loc"]) or "line"
                refused.append(LineRefusal(number, f"{path}: {first['msg']}"))
        return [self._memory(line) for line in self._screened(given)], refused

    def _screened(self, given: Sequence[ImportLine]) -> list[ImportLine]:
        asked = [one.review is None for one in given]
        told = ["\n".join((one.text, *one.tags, one.reply or "", *_names_in(one))) for one in given]
        reasons = iter(why_each_to_review([text for text, screen in zip(told, asked, strict=True) if screen]))
        return [
            one.model_copy(update={"review": next(reasons)}) if screen else one
            for one, screen in zip(given, asked, strict=True)
        ]

    def _is_ours(self, line: ImportLine) -> bool:
        """True for the id of a memory of the namespace that the line is for."""
        return line.id is not None and self._id(self._user(line), line.id) == line.id

    def _user(self, line: ImportLine) -> str:
        # What a team shares has one user alone, which is the one that an import into it is for.
        return self.user if self.partition.startswith(LAYER) else line.user or self.user

    def _memory(self, line: ImportLine) -> Memory:
        user = self._user(line)
        now = datetime.now(UTC)
        created = line.created or now
        # No later than now: what came or was used in years to come would be kept until then.
        kept = min(line.kept or created, now) if self._is_ours(line) else now
        successor = line.superseded_by
        memory = Memory(
            id=self._id(user, line.id or f"{line.project}\n{line.session}\n{line.text}"),
            partition=self.partition,
            user=user,
            text=line.text,
            kind=line.kind,
            created=created,
            project=line.project and self.project(line.project),
            session=line.session,
            tags=tuple(line.tags),
            origin=Origin(line.origin.role, line.origin.client, line.origin.call_id) if line.origin else IMPORTED,
            confidence=line.confidence,
            valid_from=line.valid_from or created,
            valid_until=line.valid_until,
            superseded_by=Superseded(self._id(user, successor.id), successor.reason) if successor else None,
            pinned=line.pinned,
            uses=line.uses,
            last_used=line.last_used and min(line.last_used, now),
            reply=line.reply or None,
            review=line.review,
            kept=None if kept == created else kept,
        )
        return self.redactor.memory(memory)

    def _id(self, user: str, given: str) -> str:
        """The id for an imported one: the same if it is valid for this user, else one derived from it,
        deterministically.

        An id starts with the digits of its namespace, so no line can reach a memory of another partition.
        """
        space = namespace(self.partition, user)
        if is_memory_id(given) and given.startswith(space[:NAMESPACE_DIGITS]):
            return given
        return memory_id(space, "import", given, key=self.key)
