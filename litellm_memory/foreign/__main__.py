"""``python -m litellm_memory.foreign NAME [FORMAT]``: reads an export on standard input, and writes what it holds.

A process of its own, because reading hundreds of megabytes of JSON would hold up whoever does it, and take its RAM. The
first row on standard output names the format, or the problem; each other one is a line of an import or a refusal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from litellm_memory.foreign import FORMATS, ShapeError, converted, format_of


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
    """The rows of JSON: one that names the format, then one for each memory or refusal. Raises ShapeError."""
    name = format or format_of(upload)
    if name is None or name not in FORMATS:
        raise ShapeError(f"{upload.name} is of no format that is known: name one of {', '.join(FORMATS)}.")
    lines = converted(upload, name)
    first = next(lines, None)
    yield json.dumps({"format": name}).encode()
    while first is not None:
        where = json.dumps(first.where).encode()
        told = first.line.rstrip() if first.refusal is None else b"null"
        yield b'{"where":%b,"refused":%b,"line":%b}' % (where, json.dumps(first.refusal).encode(), told)
        first = next(lines, None)


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
