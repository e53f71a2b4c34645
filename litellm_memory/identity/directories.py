"""The working directory that a client states, read only where clients write: never in a person's words or tool results.

The first one stated in a conversation counts, so that a conversation stays in one project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from litellm_memory.identity.rules import DirectoryHint, catalogue
from litellm_memory.models import Message, Turn, readable_id

_MARKUP: Final = " \t*-#>•"
_LONGEST_MARKUP: Final = 40
_ROOT_WITHIN: Final = 400
"""Characters after a working directory in which the root of its checkout is searched for."""
_LONGEST_TEXT: Final = 200_000
"""At most this many characters of a text are searched."""
_TRIES: Final = 32
"""At most this many occurrences of one label are tried."""

# After a label: on the same line, or as the first item of a list below it. A relative path names no place.
_PATH: Final = re.compile(
    r"""[ \t*]{0,8} (?:\r?\n[ \t]{0,8}[-*][ \t]+)? [`"']?
        (?P<path>(?:/|\\\\|[A-Za-z]:[\\/])[^\r\n<`"]{0,300})""",
    re.VERBOSE,
)
_ABSOLUTE: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\|/")


def client_directory(turn: Turn, client: str | None) -> str | None:
    """The working directory that the client with this label states; None when it states none."""
    for message in _written_by_client(turn):
        hints = _hints_of(client, in_system=message.role == "system")
        for text in reversed(message.texts) if any(hint.last for hint in hints) else message.texts:
            path = _first_directory(text.text, hints)
            if path is not None:
                return path
    return None


def normalised_path(path: str) -> str | None:
    """An absolute path without trailing slash, its drive letter in upper case; None when it cannot name a project."""
    path = path.strip()
    absolute = _ABSOLUTE.match(path)
    if absolute is None:
        return None
    bare = path.rstrip("/\\")
    shortest = absolute[0] if len(bare) < len(absolute[0]) else bare
    return readable_id(shortest[:1].upper() + shortest[1:])


def _written_by_client(turn: Turn) -> Iterator[Message]:
    """Where a client may state its directory: system messages, and the person's before the first answer."""
    opening = True
    for message in turn.messages:
        opening = opening and message.role in ("system", "person")
        if message.role == "system" or opening:
            yield message


@cache
def _hints_of(client: str | None, *, in_system: bool) -> tuple[DirectoryHint, ...]:
    """The client's own hints, or the general ones when it has none, for system or for the person's messages."""
    directories = catalogue().directories
    own = [hint for hint in directories if client in hint.clients]
    hints = own or [hint for hint in directories if not hint.clients]
    return tuple(hint for hint in hints if (hint.inside is None) == in_system)


def _first_directory(text: str, hints: Sequence[DirectoryHint]) -> str | None:
    """The directory that comes first in ``text``."""
    found = [match for hint in hints if (match := _by_hint(text, hint)) is not None]
    return min(found)[1] if found else None


def _by_hint(text: str, hint: DirectoryHint) -> tuple[int, str] | None:
    """The position in ``text`` where the hint finds a directory, and the directory."""
    start, end = _span(text, hint)
    backwards = hint.last and hint.inside is None
    for _ in range(_TRIES):
        position = text.rfind(hint.label, start, end) if backwards else text.find(hint.label, start, end)
        if position < 0:
            return None
        path = _path_behind(text, position, hint.label)
        if path is not None:
            return position, _root(text, position, hint.root) or path
        start, end = (start, position) if backwards else (position + 1, end)
    return None


def _span(text: str, hint: DirectoryHint) -> tuple[int, int]:
    """The part of ``text`` that the client writes: all of a system text, else what the client opens the text with."""
    if hint.inside is None:
        return (max(0, len(text) - _LONGEST_TEXT), len(text)) if hint.last else (0, _LONGEST_TEXT)
    start = len(text) - len(text.lstrip())
    if not text.startswith(hint.inside, start):
        return 0, 0
    if hint.inside.startswith("<"):
        return start, max(start, text.find(f"</{hint.inside[1:]}", start))
    return start, start + _LONGEST_TEXT


def _path_behind(text: str, position: int, label: str) -> str | None:
    """The path after the label at ``position``, if the label begins a line."""
    before = text[max(0, position - _LONGEST_MARKUP) : position]
    if before.rpartition("\n")[2].strip(_MARKUP) or ("\n" not in before and position > _LONGEST_MARKUP):
        return None
    found = _PATH.match(text, position + len(label))
    return normalised_path(found["path"].rstrip(" \t*'")) if found else None


def _root(text: str, position: int, label: str | None) -> str | None:
    """The root of the checkout, stated shortly after a directory; opencode writes ``/`` where there is none."""
    found = text.find(label, position, position + _ROOT_WITHIN) if label else -1
    root = _path_behind(text, found, label) if label and found >= 0 else None
    return None if root == "/" else root
