"""A session of an agent, as every round has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Session:
    """The requests of a session in order, the person's planted facts, and where each sentence of a machine stands."""

    requests: list[dict[str, Any]]
    planted: list[dict[str, str]]
    machine: dict[str, str]
