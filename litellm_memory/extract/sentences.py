"""Texts to sentences, and what kind of sentence one is."""

from __future__ import annotations

import re

_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_QUOTED = re.compile(r"(?m)^[ \t]*>.*$")
# A mark that ends a sentence, the space after it, and something that can begin one; or a line's end.
_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[^\s])|(?<=[。！？])|\n+")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+")
_ASKS = re.compile(
    r"(?i)^(?:who|what|when|where|why|how|which|whose|can|could|would|will|do|does|did|is|are|am|was|were|has|have|should)"
    r"\b(?!.*[.!]$)"
)


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` in order, without code, quoted lines and list marks."""
    prose = _QUOTED.sub("\n", _CODE.sub("\n", text))
    parts = (_BULLET.sub("", part).strip() for part in _END.split(prose))
    return [part for part in parts if part]


def is_question(sentence: str) -> bool:
    """True for a sentence that asks: it ends with a question mark, or begins as questions do and has no full stop."""
    return sentence.rstrip(" \"')").endswith(("?", "？", "؟")) or bool(_ASKS.match(sentence))
