"""Notes taken while a request is handled, to explain afterwards what memory did and why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from litellm_memory.ledger import TracedMemory
from litellm_memory.memories.query import Query


@dataclass(slots=True)
class Notes:
    """The query, its results, and milliseconds by stage."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    query: Query | None = None
    candidates: tuple[TracedMemory, ...] = ()
    cut: tuple[str, ...] = ()
    """Ids of memories that were cut from the conversation's blocks: its team shares them no more with this request."""
    refused: tuple[str, ...] = ()
    """Ids of memories in the conversation's blocks that a guardrail of this request did not let through."""
    used: list[str] = field(default_factory=list)
    """Ids of the memories in the new block; empty when there is none."""
    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures how long the body of the ``with`` takes."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = round((time.perf_counter() - begun) * 1000, 3)
