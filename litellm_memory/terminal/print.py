"""Output of commands: tables for people, lines with tabs for pipes, JSON for scripts."""

from __future__ import annotations

import codecs
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import typer

from litellm_memory.terminal.layout import laid_out

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that a terminal obeys instead of showing them."""
_ORDINARY: Final = frozenset("\n\t\u200c\u200d")
"""Lines and columns, and what joins letters in Persian and parts of emoji."""


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Prints ``text`` with nothing in it that the terminal would obey. All output of commands goes through here."""
    typer.echo(visible(text), err=err, nl=nl)


def passing(text: str) -> None:
    """Shows ``text`` on the terminal of standard error until the next line; without a text, takes it away again."""
    if sys.stderr.isatty():
        typer.echo(f"\r{visible(text)}\x1b[K", err=True, nl=False)


def visible(text: str) -> str:
    """``text`` with control and format characters as escapes, so that what is read is what is kept."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escape(one) if unicodedata.category(one) in _HIDDEN and one not in _ORDINARY else one for one in text
    )


def _escape(character: str) -> str:
    # As JSON has them, in which JSON stays what it was.
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


class Shown:
    """Bytes of UTF-8 on their way to a terminal, which obeys nothing in them."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, chunk: bytes) -> None:
        """Prints a chunk, up to its last whole character."""
        say(self._decoder.decode(chunk), nl=False)


def as_json(value: Any) -> None:
    """Prints ``value`` as JSON, indented."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Prints rows, or ``empty`` when there are none.

    A terminal gets columns under their names in its width, with short ids and times. A pipe gets a line for each row,
    its whole values between tabs and no head; what says that there are none goes to standard error then.
    """
    told = [[visible(_cell(value)) for value in row] for row in rows]
    piped = not sys.stdout.isatty()
    if not told:
        say(empty, err=piped)
    elif piped:
        for row in told:
            say("\t".join(" ".join(cell.split()) for cell in row))
    else:
        for line in laid_out(columns, [[_brief(cell) for cell in row] for row in told], _width()):
            say(line)


def short(memory_id: str) -> str:
    """The first eight digits of an id that tell it from others: a memory's begins with 16 of its user."""
    return memory_id[16:24] if len(memory_id) == 40 else memory_id[:8]


def _brief(cell: str) -> str:
    if _ID.fullmatch(cell):
        return short(cell)
    return _time(cell)


def _width() -> int:
    return shutil.get_terminal_size().columns


_ID: Final = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{8})?")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\S*")


def fields(values: Mapping[str, Any]) -> None:
    """Prints one item, a field per line, without empty fields."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        if value not in (None, [], {}, ""):
            say(f"{name.replace('_', ' '):<{width}}  {_time(_cell(value))}")


def _time(cell: str) -> str:
    return f"{time[1]} {time[2]}" if (time := _TIME.fullmatch(cell)) else cell


def memory_rows(memories: Iterable[Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
    """The rows of a table of memories."""
    for memory in memories:
        gone = "  (superseded)" if memory["superseded_by"] else ""
        project = memory["project"] or ""
        yield memory["id"], memory["kind"], memory["user"], project, memory["created"][:10], f"{memory['text']}{gone}"


def with_owner(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], found: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    """A table of rows about ``found``, with whose each is in front where these come from several partitions.

    A terminal gets the name of the partition's holder, a pipe its id.
    """
    if not any("label" in one for one in found):
        return columns, rows
    piped = not sys.stdout.isatty()
    whose = ((one["partition"] if piped else one["label"] or one["partition"]) for one in found)
    return ("whose", *columns), ([held, *row] for held, row in zip(whose, rows, strict=True))


def owner(one: Mapping[str, Any]) -> str:
    """What a line about something of one of several partitions begins with; empty where only one is meant."""
    return f"{one['label'] or one['partition']}: " if "label" in one else ""


MEMORY_COLUMNS = ("id", "kind", "user", "project", "said", "text")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return "  ".join(f"{name}={_cell(item)}" for name, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
