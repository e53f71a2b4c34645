"""The records of a JSON file, a JSON-lines file or a downloaded archive, and the lines of a text file."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from litellm_memory.foreign.line import ShapeError

TEXT_ENDINGS: Final = frozenset({".md", ".markdown", ".txt"})
LINE_ENDINGS: Final = frozenset({".ndjson", ".jsonl"})
LISTS: Final = ("results", "memories", "data", "items", "observations", "summaries", "prompts", "conversations")
"""Keys under which exports that are one object keep their records."""
LARGEST_FILE: Final = 2**30
"""Bytes of a file in an archive, unpacked; it is read into RAM."""
MOST_PACKED: Final = 100
"""How many times smaller text can be packed: usually 5 to 20 times."""
PACKED_ALWAYS: Final = 64 * 2**10
"""Bytes; a smaller file may be packed further."""
ARCHIVED: Final = ("conversations", "memories")
"""Prefixes of the files, or of their folders, in an archive that hold conversations or memories; others hold accounts
and pictures."""
MOST_DIGITS: Final = 30
"""Digits of a whole number: no id, count or time has as many."""
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


class File(Protocol):
    """What is read: a path, or something that was uploaded under a name."""

    @property
    def name(self) -> str:
        """Its name, whose ending tells texts from JSON."""
        ...

    def open(self, mode: str) -> AbstractContextManager[BinaryIO]:
        """Its bytes, from the beginning, seekable. Raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON value of a file, and its position for people."""

    where: str
    value: Any


def is_text(file: File | Path) -> bool:
    """True when the file name has the ending of a text file."""
    return Path(file.name).suffix.lower() in TEXT_ENDINGS


def text_lines(file: File | Path) -> Iterator[Record]:
    """The lines of a text, each with its number and the headings above it. Raises ShapeError, OSError."""
    heading = parent = ""
    with file.open("rb") as opened:
        content = opened.read()
    for number, line in enumerate(_text(content, file.name).splitlines(), 1):
        plain = line.strip()
        if plain.startswith("#"):
            heading, parent = plain.lstrip("#").strip(), ""
            continue
        if not line.startswith((" ", "\t")):
            parent = plain
        if plain:
            yield Record(f"line {number}", {"line": plain, "heading": heading, "parent": parent})


def records_in(file: File | Path) -> Iterator[Record]:
    """The records of a file, in order. Raises ShapeError for invalid JSON, OSError."""
    with file.open("rb") as opened:
        if zipfile.is_zipfile(opened):
            yield from _archived(opened, file.name)
            return
        opened.seek(0)
        content = opened.read()
    yield from _records(content, file.name, "")


def _archived(opened: BinaryIO, name: str) -> Iterator[Record]:
    with zipfile.ZipFile(opened) as archive:
        listed = [name for name in archive.namelist() if name.endswith(".json")]
        # Whoever packs an archive anew puts a folder around its files.
        members = [name for name in listed if any(part.startswith(ARCHIVED) for part in Path(name).parts)]
        if not members:
            raise ShapeError(f"{name} holds no conversations and no memories.")
        for member in members:
            yield from _records(_unpacked(archive, member), member, f"{member}, ")


def _unpacked(archive: zipfile.ZipFile, member: str) -> bytes:
    """The content of a file in an archive. Raises ShapeError for one that is packed as no text is."""
    about = archive.getinfo(member)
    if about.file_size > LARGEST_FILE or about.file_size > MOST_PACKED * max(about.compress_size, PACKED_ALWAYS):
        raise ShapeError(f"{member} is too large when it is unpacked: {about.file_size} bytes.")
    try:
        # zipfile reads no more than the size that the archive states, and checks it.
        return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError):
        raise ShapeError(f"{member} cannot be unpacked.") from None


def _records(content: bytes, name: str, before: str) -> Iterator[Record]:
    text = _text(content, name)
    if Path(name).suffix.lower() in LINE_ENDINGS or _has_a_record_each_line(text):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield Record(f"{before}line {number}", _parsed_or_text(line))
        return
    try:
        value = _parsed(text)
    except RecursionError:
        raise ShapeError(f"{name} is nested too deeply.") from None
    except ValueError as error:
        where = f" in line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ShapeError(f"{name} is not valid JSON{where}.") from None
    for number, record in enumerate(_listed(value), 1):
        yield Record(f"{before}record {number}", record)


def _has_a_record_each_line(text: str) -> bool:
    first, _, rest = text.lstrip().partition("\n")
    return isinstance(_parsed_or_text(first), dict) and bool(rest.strip())


def _parsed_or_text(line: str) -> Any:
    try:
        return _parsed(line)
    except (ValueError, RecursionError):
        return line


def _parsed(text: str) -> Any:
    value = json.loads(text, parse_int=_whole, parse_constant=lambda _: None)
    # Half a pair, which can be written as an escape alone, is no character, and no request can carry it.
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) if _HALF.search(text) else value


def _whole(digits: str) -> int | str:
    """A whole number; the digits of one that is too long, of which Python refuses thousands."""
    return int(digits) if len(digits) < MOST_DIGITS else digits


def _listed(value: Any) -> list[Any]:
    """The records of a whole document: its items, those of its lists, or the document itself."""
    if isinstance(value, list):
        return value
    lists = [value[key] for key in LISTS if isinstance(value.get(key), list)] if isinstance(value, dict) else []
    return [record for records in lists for record in records] if lists else [value]


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ShapeError(f"{name} is not UTF-8 text in line {line}.") from None
