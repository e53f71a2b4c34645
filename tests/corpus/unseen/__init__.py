"""Texts that others wrote after the code, without sight of its rules and tests: one folder a round, kept as written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROUND = "round1"


def items(name: str, round: str = ROUND) -> list[dict[str, Any]]:
    """The items of ``updates``, ``wishes``, ``attacks`` or ``facts``, in the order of their file; none without one."""
    path = Path(__file__).parent / round / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
