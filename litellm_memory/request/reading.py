"""A parsed request: its format, its conversation, whose memory it may see, and its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.identity import Refusal, RequestOptions, identify, read_options
from litellm_memory.ledger import Ledger
from litellm_memory.models import Earlier, Kind, Scope, Status, Turn
from litellm_memory.request.kinds import classify
from litellm_memory.request.marks import Said, said_in
from litellm_memory.request.notes import Notes
from litellm_memory.request.participation import models_asked, models_take_part, takes_part, vendor_of
from litellm_memory.request.request import Request
from litellm_memory.settings import Settings
from litellm_memory.wire import WireFormat, recognise


@dataclass(frozen=True, slots=True)
class Reading:
    """A request that memory takes part in."""

    request: Request
    format: WireFormat
    turn: Turn
    options: RequestOptions
    scope: Scope
    kind: Kind
    reason: str
    """What decided the kind."""
    said: Sequence[Said]
    earlier: Earlier | None = None
    """The state of the part of the conversation that the server keeps; None when it keeps none."""
    notes: Notes = field(default_factory=Notes)

    @property
    def mark(self) -> str | None:
        """The mark of the person's message that the answer will belong to; None when there is none."""
        if self.kind not in ("person", "continuation"):
            return None
        if self.said:
            return self.said[-1].mark
        return self.earlier.mark if self.earlier else None


@dataclass(frozen=True, slots=True)
class Excluded:
    """Why memory stays out of a request, and its scope where that is known."""

    status: Status
    reason: str
    scope: Scope | None = None


class Reader:
    """Parses requests under the current settings."""

    def __init__(self, settings: Callable[[], Settings], ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger

    async def read(self, request: Request) -> Reading | Excluded:
        """The parsed request, or why memory stays out of it. Raises LedgerError while the ledger is not open."""
        settings = self._settings()
        format = recognise(request.call_type, request.route, request.body)
        turn = format.read(request.body) if format else None
        if format is None or turn is None:
            return Excluded("skipped", "unknown_shape")
        asked = models_asked(request, turn)
        if not models_take_part(asked, settings.models):
            return Excluded("off", "model_excluded")
        if not takes_part(request.caller.key_alias, settings.keys):
            return Excluded("off", "key_excluded")
        options = read_options(request.headers, settings.identity)
        scope = identify(request.caller, request.headers, options, turn, settings.identity)
        if isinstance(scope, Refusal):
            return Excluded("skipped", scope.reason)
        if vendor_of(asked, settings.vendor_memory):
            return Excluded("off", "vendor_memory", scope)
        kind, reason = classify(turn, request.headers, settings.kinds)
        earlier = await self._earlier(turn.previous, scope) if turn.previous else None
        said = said_in(turn, scope, self._ledger.key, after=earlier.mark if earlier else "")
        return Reading(request, format, turn, options, await self._joined(scope), kind, reason, said, earlier)

    async def _joined(self, scope: Scope) -> Scope:
        """``scope`` with the project name that all clients of the user share; unchanged on a timeout or failure."""
        if scope.project is None:
            return scope
        try:
            async with asyncio.timeout(replay_timeout_s(self._settings())):
                names = await self._ledger.paths.names(
                    scope.namespace, scope.project, scope.path, now=datetime.now(UTC)
                )
        except (TimeoutError, LiteLLMMemoryError):
            return scope
        return replace(scope, project=names.project)

    async def _earlier(self, previous: str, scope: Scope) -> Earlier:
        """The state of the server-side conversation whose last answer is ``previous``."""
        try:
            async with asyncio.timeout(replay_timeout_s(self._settings())):
                known = await self._ledger.answers.earlier(previous, namespace=scope.namespace)
        except (TimeoutError, LiteLLMMemoryError):
            known = None
        # The id of an answer that memory did not see still tells this conversation from others.
        return known or Earlier(previous)


def replay_timeout_s(settings: Settings) -> float:
    """Timeout in seconds of a ledger lookup: as long as recall's, because a lost block invalidates the prompt cache."""
    return settings.recall.deadline_ms / 1000
