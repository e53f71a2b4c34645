"""A text as a reader sees it, with every character's place in the original: a secret may be written in many ways."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from litellm_memory.redact.pieces import each_match

_WRITTEN: Final = re.compile(
    r"(?P<html>&(?:quot|amp|apos|lt|gt|nbsp|#\d{2,4}|#x[0-9a-fA-F]{2,4});)"
    r"|(?P<json>\\u00[0-9a-fA-F]{2})"
    # A line of a shell that goes on, and a token that a terminal wrapped.
    r"|(?P<joined>\\\r?\n[ \t]*"
    r"|(?<=[A-Za-z0-9_-]{20})\r?\n[ \t]*(?=(?=[A-Za-z_-]{0,100}[0-9])[A-Za-z0-9_-]{4,200}[ \t]*(?:\n|\Z)))"
    # A block of YAML, and a value that stands alone on the line after its name.
    r"|(?P<apart>(?<=:)[ \t]*[|>][+-]?[ \t]*\r?\n[ \t]+"
    r"|(?<=[A-Za-z]:)[ \t]*\r?\n[ \t]*(?=[^\s:]{5,128}[ \t]*(?:\n|\Z)))"
    # Characters that Unicode folds to an ASCII one, or that are not seen; of others there are many in a text.
    r"|[\u00a0\u00aa\u00ad\u00b2\u00b3\u00b9\u00ba\u061c\u180e\u2000-\u209f\u2100-\u214f\u2212\u2460-\u24ff\u3000"
    r"\ufe50-\ufe6f\ufeff\uff01-\uff5e\U0001d400-\U0001d7ff\U000e0000-\U000e007f]"
)
_DASHES: Final = frozenset("\u2010\u2011\u2012\u2212\uff0d\ufe63")


@dataclass(frozen=True, slots=True)
class Folded:
    """``text``, and ``places``: where each of its characters, and its end, is in the original."""

    text: str
    places: tuple[int, ...]


def folded(text: str) -> Folded | None:
    """``text`` with escapes, full width, odd blanks and dashes, and wrapped lines undone; None when it has none."""
    parts: list[str] = []
    places: list[int] = []
    end, changed = 0, False
    for found in each_match(_WRITTEN, text):
        plain = _plain(found)
        if plain == found[0]:
            continue
        changed = True
        parts += [text[end : found.start()], plain]
        places += [*range(end, found.start()), *([found.start()] * len(plain))]
        end = found.end()
    if not changed:
        return None
    return Folded("".join((*parts, text[end:])), (*places, *range(end, len(text) + 1)))


def _plain(found: re.Match[str]) -> str:
    """What a reader sees; never more characters than are written."""
    written = found[0]
    if found.lastgroup == "html":
        plain = html.unescape(written).replace("\xa0", " ")
    elif found.lastgroup == "json":
        plain = chr(int(written[2:], 16))
    elif found.lastgroup is not None:
        return "" if found.lastgroup == "joined" else " "
    elif written in _DASHES:
        return "-"
    elif unicodedata.category(written) == "Cf":
        return ""
    else:
        plain = unicodedata.normalize("NFKC", written)
    return plain if len(plain) == 1 and plain.isascii() and plain.isprintable() else written
