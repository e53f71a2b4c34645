"""The working directory that a client tells of, read where clients write: never in a person's words or a tool's result.

The first telling of a conversation counts, so that a conversation stays in one project.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from litellm_memory.identity.headers import readable_id
from litellm_memory.identity.rules import DirectoryHint, catalogue
from litellm_memory.models import Message, Turn

_MARKUP: Final = " \t*-#>•"
_LONGEST_MARKUP: Final = 40
_ROOT_WITHIN: Final = 400
"""Characters behind a working directory in which the root of its checkout is looked for."""
_LONGEST_TEXT: Final = 200_000
"""Characters of a text that are looked at."""
_TRIES: Final = 32
"""Most places of one label that are looked at."""

# Behind a label: on the same line, or as the first item of a list below it. It must be absolute to be somewhere.
_PATH: Final = re.compile(
    r"""[ \t*]{0,8} (?:\r?\n[ \t]{0,8}[-*][ \t]+)? [`"']?
        (?P<path>(?:/|\\\\|[A-Za-z]:[\\/])[^\r\n<`"]{0,300})""",
    re.VERBOSE,
)
_ABSOLUTE: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\|/")


def told_directory(turn: Turn, client: str | None) -> str | None:
    """The directory that the client with this label says it works in; None when it says none."""
    for message in _telling(turn):
        hints = _hints_of(client, in_system=message.role == "system")
        for text in reversed(message.texts) if any(hint.last for hint in hints) else message.texts:
            path = _told(text.text, hints)
            if path is not None:
                return path
    return None


def normalised_path(path: str) -> str | None:
    """An absolute path without a trailing slash, a Windows drive in upper case; None when it cannot name a project."""
    path = path.strip()
    absolute = _ABSOLUTE.match(path)
    if absolute is None:
        return None
    bare = path.rstrip("/\\")
    shortest = absolute[0] if len(bare) < len(absolute[0]) else bare
    return readable_id(shortest[:1].upper() + shortest[1:])


def _telling(turn: Turn) -> Iterator[Message]:
    """Where a client may tell its directory: system messages, and those of the person before the first answer."""
    opening = True
    for message in turn.messages:
        opening = opening and message.role in ("system", "person")
        if message.role == "system" or opening:
            yield message


@cache
def _hints_of(client: str | None, *, in_system: bool) -> tuple[DirectoryHint, ...]:
    """The client's own hints, or those that any client may use when it has none, for one place."""
    directories = catalogue().directories
    own = [hint for hint in directories if client in hint.clients]
    hints = own or [hint for hint in directories if not hint.clients]
    return tuple(hint for hint in hints if (hint.inside is None) == in_system)


def _told(text: str, hints: Sequence[DirectoryHint]) -> str | None:
    """The directory that stands first in ``text``."""
    found = [told for hint in hints if (told := _by_hint(text, hint)) is not None]
    return min(found)[1] if found else None


def _by_hint(text: str, hint: DirectoryHint) -> tuple[int, str] | None:
    """Where in ``text`` the hint finds a directory, and the directory."""
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
    """Where in ``text`` the client writes: in a system text everywhere, else in what it opens the text with."""
    if hint.inside is None:
        return (max(0, len(text) - _LONGEST_TEXT), len(text)) if hint.last else (0, _LONGEST_TEXT)
    start = len(text) - len(text.lstrip())
    if not text.startswith(hint.inside, start):
        return 0, 0
    if hint.inside.startswith("<"):
        return start, max(start, text.find(f"</{hint.inside[1:]}", start))
    return start, start + _LONGEST_TEXT


def _path_behind(text: str, position: int, label: str) -> str | None:
    """The path behind the label at ``position``, if the label begins a line."""
    before = text[max(0, position - _LONGEST_MARKUP) : position]
    if before.rpartition("\n")[2].strip(_MARKUP) or ("\n" not in before and position > _LONGEST_MARKUP):
        return None
    found = _PATH.match(text, position + len(label))
    return normalised_path(found["path"].rstrip(" \t*'")) if found else None


def _root(text: str, position: int, label: str | None) -> str | None:
    """The root of the checkout that stands close behind a directory; opencode says ``/`` where there is none."""
    found = text.find(label, position, position + _ROOT_WITHIN) if label else -1
    root = _path_behind(text, found, label) if label and found >= 0 else None
    return None if root == "/" else root
