"""A parsed request: its format, its conversation, whose memory it may see, and its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.identity import Refusal, RequestOptions, identify, layer_of, read_options
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger import Allowance, Ledger, Standing
from litellm_memory.memories.breaker import Breaker
from litellm_memory.memories.unasked import is_unasked, unasked_in
from litellm_memory.models import Earlier, Kind, Scope, Status, Turn
from litellm_memory.request.kinds import classify
from litellm_memory.request.long import MOST_AT_ONCE, MOST_READ, done
from litellm_memory.request.marks import Said, said_in
from litellm_memory.request.notes import Notes
from litellm_memory.request.openings import Openings
from litellm_memory.request.participation import models_asked, models_take_part, takes_part, vendor_of
from litellm_memory.request.request import Request
from litellm_memory.settings import Settings
from litellm_memory.wire import WireFormat, recognise
from litellm_memory.wire.content import is_longer

UNASKED_FOR: Final = timedelta(days=1)
"""A day from then on: where the person is, and when their day ends, is not known."""
LONGEST_READ_S: Final = 2.0
"""After this long a request goes on without memory: long conversations of others may be read before it."""


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
    foreign: bool = False
    """It opens otherwise than its session: what the session's own messages were given is none of its business."""
    earlier: Earlier | None = None
    """The state of the part of the conversation that the server keeps; None when it keeps none."""
    notes: Notes = field(default_factory=Notes)
    standing: Standing = field(default_factory=Standing)
    """What memory may do for it, and who says so."""
    shared: Scope | None = None
    """Where the memories are that its team shares; None when it is given none."""

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
    """Parses requests under the current settings. ``breaker`` is the ledger's; ``noted`` waits until all answers that
    have ended are noted."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        ledger: Ledger,
        journal: Journal,
        breaker: Breaker,
        noted: Callable[[], Awaitable[None]],
    ) -> None:
        self._noted = noted
        self._settings = settings
        self._ledger = ledger
        self._journal = journal
        self._breaker = breaker
        self._openings = Openings()

    async def read(self, request: Request) -> Reading | Excluded:
        """The parsed request, or why memory stays out of it. Raises LedgerError while the ledger is not open."""
        try:
            async with asyncio.timeout(LONGEST_READ_S):
                return await self._read(request)
        except TimeoutError:
            return Excluded("late", "read")

    async def _read(self, request: Request) -> Reading | Excluded:
        settings = self._settings()
        apart = is_longer(request.body, MOST_AT_ONCE)
        if apart and await done(partial(is_longer, request.body, MOST_READ), apart=True):
            return Excluded("skipped", "too_long")
        format, turn = await done(partial(_parsed, request), apart=apart)
        if format is None or turn is None:
            return Excluded("skipped", "unknown_shape")
        asked = models_asked(request, turn)
        if not models_take_part(asked, settings.models):
            return Excluded("off", "model_excluded")
        if not takes_part(request.caller.key_alias, settings.keys):
            return Excluded("off", "key_excluded")
        options = read_options(request.headers, settings.identity)
        whose = partial(identify, request.caller, request.headers, options, turn, settings.identity)
        scope = await done(whose, apart=apart)
        if isinstance(scope, Refusal):
            return Excluded("skipped", scope.reason)
        if vendor_of(asked, settings.vendor_memory):
            return Excluded("off", "vendor_memory", scope)
        earlier = await self._earlier(turn.previous, scope) if turn.previous else None
        after = earlier.mark if earlier else ""
        kind, reason = await done(partial(classify, turn, request.headers, settings.kinds), apart=apart)
        said = await done(partial(_said, request, format, turn, scope, self._ledger.key, after), apart=apart)
        foreign = self._openings.foreign(turn, scope, said, kind, reason, note=not request.dry)
        if foreign and kind in ("person", "continuation"):
            kind, reason = foreign, "another_opening"
        elif request.beside and kind == "continuation":
            reason = "gateway_memory"
        reading = Reading(
            request, format, turn, options, await self._joined(scope), kind, reason, said, foreign is not None, earlier
        )
        standing = await self._standing(reading, settings, apart=apart)
        layer = layer_of(request.caller, settings) if standing.recall.allowed and standing.shared.allowed else None
        return replace(reading, standing=standing, shared=layer.scope if layer else None)

    async def _standing(self, reading: Reading, settings: Settings, *, apart: bool) -> Standing:
        """What memory may do for a request, also by what its person says in it."""
        switches, scope, now = self._ledger.people.switches, reading.scope, reading.notes.at
        standing = switches.standing(scope, reading.request.caller, now, settings)
        if not standing.recall.allowed or not reading.said:
            return standing
        wish = unasked_in(reading.said[-1].text) if reading.kind == "person" else None
        until = now + UNASKED_FOR if wish == "day" else None
        if wish is None and not await done(partial(is_unasked, [one.text for one in reading.said]), apart=apart):
            return standing
        if until is not None and not reading.request.dry:
            with suppress(TimeoutError, LiteLLMMemoryError):
                async with asyncio.timeout(replay_timeout_s(settings)):
                    await switches.pause(scope.partition, scope.user, "recall", until)
        return replace(standing, recall=Allowance(False, "person", until, standing.recall.ruling))

    async def _joined(self, scope: Scope) -> Scope:
        """``scope`` with the project name that all clients of the user share; unchanged on a timeout or failure."""
        if scope.project is None:
            return scope
        paths, asked, now = self._ledger.paths, (scope.namespace, scope.project, scope.path), datetime.now(UTC)
        if (names := paths.fresh(*asked, now=now)) is None:
            try:
                with self._breaker.watch():
                    async with asyncio.timeout(replay_timeout_s(self._settings())):
                        names = await paths.names(*asked, now=now)
            except (TimeoutError, LiteLLMMemoryError):
                return scope
        return replace(scope, project=names.project)

    async def _earlier(self, previous: str, scope: Scope) -> Earlier:
        """The state of the server-side conversation whose last answer is ``previous``."""
        try:
            with self._breaker.watch():
                async with asyncio.timeout(replay_timeout_s(self._settings())):
                    # A client that goes on at once asks while the answer before is still being read.
                    await self._noted()
                    known = await self._journal.answers.earlier(previous, namespace=scope.namespace)
        except (TimeoutError, LiteLLMMemoryError):
            known = None
        # The id of an answer that memory did not see still tells this conversation from others.
        return known or Earlier(previous)


def _parsed(request: Request) -> tuple[WireFormat | None, Turn | None]:
    format = recognise(request.call_type, request.route, request.body)
    return format, format.read(request.body) if format else None


def _said(request: Request, format: WireFormat, turn: Turn, scope: Scope, key: bytes, after: str) -> list[Said]:
    """The person's messages, with the marks of the client's own words: a guardrail may mask them anew each time."""
    said = said_in(turn, scope, key, after=after)
    own = format.read(request.original) if request.original is not None else None
    if own is None:
        return said
    marked = said_in(own, scope, key, after=after)
    if len(marked) != len(said):
        return said
    return [replace(one, mark=unmasked.mark) for one, unmasked in zip(said, marked, strict=True)]


def replay_timeout_s(settings: Settings) -> float:
    """Timeout in seconds of a ledger lookup: as long as recall's, because a lost block invalidates the prompt cache."""
    return settings.recall.deadline_ms / 1000
