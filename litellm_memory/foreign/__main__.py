"""``python -m litellm_memory.foreign NAME [FORMAT]``: reads an export on standard input, and writes what it holds.

A process of its own, because reading hundreds of megabytes of JSON would hold up whoever does it, and take its RAM. The
first row on standard output names the format and whether it holds memories or conversations, or the problem; each other
one is a line of an import, a conversation, or a refusal.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

from litellm_memory.foreign import FORMATS, ShapeError, converted, format_of
from litellm_memory.foreign.past import PROGRAMS, conversations_in, program_of

LARGEST_CONVERSATION: Final = 4 * 2**20 - 4096
"""Bytes of JSON that a request takes of one, with what stands around it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent under a name. It is in RAM alone, so nothing of it can be left behind."""

    name: str
    content: BytesIO

    def open(self, mode: str) -> AbstractContextManager[BinaryIO]:
        """Its bytes, from the beginning."""
        self.content.seek(0)
        return nullcontext(self.content)


def rows(upload: Upload, format: str | None) -> Iterator[bytes]:
    """The rows of JSON: one that names the format, then one for each memory, conversation or refusal.

    Raises ShapeError.
    """
    name = format or format_of(upload) or program_of(upload)
    if name is not None and name in PROGRAMS:
        return _begun(name, "conversations", _conversations(upload, name))
    if name is not None and name in FORMATS:
        return _begun(name, "memories", _memories(upload, name))
    known = ", ".join((*FORMATS, *PROGRAMS))
    raise ShapeError(f"{upload.name} is of no format that is known: name one of {known}.")


def _begun(name: str, holds: str, rows: Iterator[bytes]) -> Iterator[bytes]:
    # The first row is read before the format is named, because that is where most files fail.
    first = next(rows, None)
    yield json.dumps({"format": name, "holds": holds}).encode()
    if first is not None:
        yield first
        yield from rows


def _memories(upload: Upload, name: str) -> Iterator[bytes]:
    for one in converted(upload, name):
        told = one.line.rstrip() if one.refusal is None else b"null"
        yield _row(one.where, one.refusal, "line", told)


def _conversations(upload: Upload, name: str) -> Iterator[bytes]:
    left_out: Counter[str] = Counter()
    for number, one in enumerate(conversations_in(upload, name, left_out), 1):
        told = json.dumps(one, ensure_ascii=False).encode("utf-8", "replace")
        refusal = "it is larger than 4 MB" if len(told) > LARGEST_CONVERSATION else None
        yield _row(f"conversation {number}", refusal, "conversation", b"null" if refusal else told)
    for reason, count in left_out.items():
        yield _row(f"{count} messages", reason.replace("_", " "), "conversation", b"null")


def _row(where: str, refusal: str | None, holds: str, told: bytes) -> bytes:
    names = (json.dumps(value).encode() for value in (where, refusal, holds))
    return b'{"where":%b,"refused":%b,%b:%b}' % (*names, told)


def main() -> None:
    name, *format = sys.argv[1:]
    upload = Upload(name, BytesIO(sys.stdin.buffer.read()))
    try:
        for row in rows(upload, format[0] if format else None):
            sys.stdout.buffer.write(row + b"\n")
    except ShapeError as error:
        sys.stdout.buffer.write(json.dumps({"problem": str(error)}).encode() + b"\n")


if __name__ == "__main__":
    main()
