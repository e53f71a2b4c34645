"""Chinese in one script, to compare what is written in two: docs/decisions/chinese.md."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

_TABLE: Final = Path(__file__).with_name("chinese.txt")
"""Two lines: traditional characters, and the simplified one of each. Made by scripts/chinese_table.py."""
_FIRST: Final = "\u3400"
"""Before it there is no Chinese character."""


def simplified(text: str) -> str:
    """``text`` with a simplified character for each traditional one; its length and everything else stay.

    For comparison only: what a person wrote is kept and shown as written.
    """
    return text if text.isascii() or max(text) < _FIRST else text.translate(_table())


@cache
def _table() -> dict[int, str]:
    traditional, simple = _TABLE.read_text(encoding="utf-8").split()
    return dict(zip(map(ord, traditional), simple, strict=True))
