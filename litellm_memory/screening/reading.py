"""Normalisation against obfuscation: the text itself, and the text with homoglyphs, leetspeak or base64 decoded."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from litellm_memory.text.chinese import simplified

# Homoglyphs: letters of other scripts that look like Latin ones; leetspeak: digits in place of letters.
_LOOKS: Final = str.maketrans("аеорсухіѕјԁһοανкмтвнѵ", "aeopcyxisjdhoavkmtbhv")
_FIGURES: Final = str.maketrans("013457@$", "oieastas")
_BLANK: Final = re.compile(r"\s+")
_MIXED: Final = re.compile(r"\b(?=\w*[a-z])(?=\w*[Ͱ-ӿ])\w+\b")
_FIGURED: Final = re.compile(r"(?<![\w@$])(?=[\w@$]{0,30}[a-z])(?=[\w@$]{0,30}[013457@$])[\w@$]{3,40}(?![\w@$])")
_SPREAD: Final = re.compile(r"(?<!\w)(?:[a-z][ .\-_*]){3,40}[a-z](?!\w)")
_ENCODED: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{32,}={0,2}")


def readings(text: str) -> Iterator[str]:
    """``text`` in lower case, Unicode NFKC and simplified Chinese; then, where it is obfuscated, the decoded ones."""
    folded = unicodedata.normalize("NFKC", text).replace("’", "'")
    shown = "".join(character for character in folded if unicodedata.category(character) != "Cf")
    # A sign has several blanks, and tries every way to share out a long one among them.
    plain = _BLANK.sub(lambda found: "\n" if "\n" in found[0] else " ", simplified(shown).lower())
    yield plain
    bare = _SPREAD.sub(lambda found: re.sub(r"[^a-z]", "", found[0]), plain)
    bare = _MIXED.sub(lambda found: found[0].translate(_LOOKS), bare)
    bare = _FIGURED.sub(lambda found: found[0].translate(_FIGURES), bare)
    if bare != plain:
        yield bare
    yield from (decoded.lower() for found in _ENCODED.finditer(shown) if (decoded := _decoded(found[0])))


def _decoded(encoded: str) -> str:
    """The text in a run of base64; empty when it is not text."""
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if text.isprintable() else ""
