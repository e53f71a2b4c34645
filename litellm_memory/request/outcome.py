"""What memory did to a request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litellm_memory.models import Kind, Place, Scope, Status
from litellm_memory.request.reading import Reading
from litellm_memory.wire import WireFormat


@dataclass(frozen=True, slots=True)
class Injection:
    """What was put into a request's body, or why nothing was."""

    status: Status
    reason: str
    body: dict[str, Any] | None = None
    """The body to send; None: send the client's own."""
    count: int = 0
    """Memories in all blocks of the body."""
    tokens: int = 0
    """Tokens of all blocks of the body."""
    block: str = ""
    """The text of the newest message's block; empty when it has none."""
    carried: tuple[str, ...] = ()
    """Ids of the memories that the conversation carries after this call."""
    placed: tuple[tuple[Place, str], ...] = ()
    """Every block of the body before the client's text at its place."""
    blocks: tuple[tuple[str, int], ...] = ()
    """The mark of the message of each of these, and how many memories it has."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Whether a call is learned from."""

    learns: bool = False
    late: bool = False
    """The person's words go to the journal with the answer, as guardrails let them through."""
    journalled: asyncio.Task[None] | None = None
    """Done once the person's new words are queued for the journal; None when there are none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An injection with what is needed once the answer comes: the reading, and whether to learn from it.

    ``reading`` is None for a request that memory stays out of; ``scope`` may still be known.
    """

    injection: Injection
    scope: Scope | None = None
    reading: Reading | None = None
    acceptance: Acceptance = Acceptance()

    @classmethod
    def failed(cls, reason: str) -> Outcome:
        """The outcome of a request for which memory failed."""
        return cls(Injection("error", reason))

    @property
    def status(self) -> Status:
        return self.injection.status

    @property
    def reason(self) -> str:
        return self.injection.reason

    @property
    def body(self) -> dict[str, Any] | None:
        return self.injection.body

    @property
    def count(self) -> int:
        return self.injection.count

    @property
    def tokens(self) -> int:
        return self.injection.tokens

    @property
    def block(self) -> str:
        return self.injection.block

    @property
    def kind(self) -> Kind | None:
        return self.reading.kind if self.reading else None

    @property
    def mark(self) -> str | None:
        """The person's message that this call answers; None when there is none."""
        return self.reading.mark if self.reading else None

    @property
    def format(self) -> WireFormat | None:
        return self.reading.format if self.reading else None

    @property
    def unreadable(self) -> int:
        """How many memory headers could not be read."""
        return len(self.reading.options.unreadable) if self.reading else 0

    @property
    def stages(self) -> Mapping[str, float]:
        """Milliseconds that memory took, by stage."""
        return self.reading.notes.stages if self.reading else {}
