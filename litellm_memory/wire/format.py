"""What a wire format can do. Every format is a module that satisfies this protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from litellm_memory.models import Body, Reply, Turn


class WireFormat(Protocol):
    """One way to put a conversation and its answer into JSON."""

    def read(self, body: Body) -> Turn | None:
        """The turn that ``body`` asks, or None for a body that cannot or must not be read. Never raises for JSON."""

    def reply(self, events: Iterable[Mapping[str, Any]]) -> Reply:
        """The answer that these events spell; an answer that was not streamed is a single event."""

    def is_answer(self, event: Mapping[str, Any]) -> bool:
        """True for an event, or a whole answer, in this format."""
