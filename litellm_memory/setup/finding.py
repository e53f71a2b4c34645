"""What a check of a set-up found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; ``remedy`` is empty when all is well."""

    level: Level
    what: str
    remedy: str = ""
