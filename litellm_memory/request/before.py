"""What memory does to a request before it is sent. ``Before.__call__`` and ``_inject`` are the whole path."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from litellm_memory.errors import LedgerError
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger import Allowance
from litellm_memory.models import Block, Status
from litellm_memory.request.accept import Acceptor
from litellm_memory.request.blocks import Blocks, Frozen, reason_of
from litellm_memory.request.finding import Question
from litellm_memory.request.outcome import Injection, Outcome
from litellm_memory.request.place import carried_in, carriers, injection_of
from litellm_memory.request.reading import Excluded, Reader, Reading
from litellm_memory.request.request import Request
from litellm_memory.request.screened import all_screened
from litellm_memory.request.tracing import trace_excluded, trace_of
from litellm_memory.settings import Settings


class Before:
    """Reads a request, replays the blocks of its conversation and, for a person's new words, adds a new block."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        journal: Journal,
        notice: Callable[[Request], None],
        reader: Reader,
        acceptor: Acceptor,
        blocks: Blocks,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._notice = notice
        self._reader = reader
        self._acceptor = acceptor
        self._blocks = blocks

    async def __call__(self, request: Request) -> Outcome:
        """What to send in place of ``request.body``, and the status to report to the client."""
        begun = time.perf_counter()
        self._notice(request)
        try:
            reading = await self._reader.read(request)
        except LedgerError as error:
            return Outcome.failed(reason_of(error))
        if isinstance(reading, Excluded):
            return self._excluded(request, reading)
        reading.notes.stages["read"] = round((time.perf_counter() - begun) * 1000, 3)
        acceptance = self._acceptor.accept(reading)
        injection = await self._inject(reading)
        if not request.dry:
            self._journal.trace(trace_of(reading, injection), used=reading.notes.used)
        return Outcome(injection, reading.scope, reading, acceptance)

    async def question(self, request: Request) -> Question | None:
        """What a request is likely to search for, if it is verified for the caller that it names; None when nothing.

        Nothing is kept or counted for it. Raises LedgerError.
        """
        reading = await self._reader.read(replace(request, dry=True))
        if isinstance(reading, Excluded) or _why_none(reading) or reading.kind != "person":
            return None
        return await self._blocks.question(reading, self._marks(reading))

    async def _inject(self, reading: Reading) -> Injection:
        settings, recall = self._settings(), reading.standing.recall
        # Also an answer that is given no block goes on from what the provider keeps.
        carried = carried_in((), reading.earlier)
        if why := _why_none(reading):
            if _has_layers(settings) and not recall.allowed and recall.by in ("policy", "person"):
                await self._blocks.withdraw(reading, [said.mark for said in reading.said])
            return Injection(*why, carried=carried)
        place = partial(injection_of, reading, position=settings.recall.position)
        marks = self._marks(reading)
        frozen = await self._screened(reading, await self._blocks.frozen(reading, marks))
        if frozen.failure is not None:
            status, reason = frozen.failure
            return await place(frozen.blocks, status=status, reason=reason)
        if reading.kind != "person":
            return await place(frozen.blocks, status="skipped", reason=reading.reason)
        newest = marks[-1]
        before = frozen.blocks.get(newest)
        if before is not None and not before.answered:
            # A retry of the same message: it keeps the block of the first attempt, even an empty one.
            return await place(frozen.blocks, status="empty", reason="frozen")
        earlier = {mark: block for mark, block in frozen.blocks.items() if mark != newest}
        new = await self._blocks.new(reading, earlier, fallback=before or Block(newest))
        return await place({**earlier, new.block.mark: new.block}, status=new.status, reason=new.reason)

    def _marks(self, reading: Reading) -> list[str]:
        return [said.mark for said in carriers(reading, self._settings().recall.position)]

    async def _screened(self, reading: Reading, frozen: Frozen) -> Frozen:
        """The frozen blocks as the request's guardrails, which may be new, let them through."""
        screen = reading.request.screen
        if screen is None:
            return frozen
        blocks = await all_screened(frozen.blocks, screen)
        left = _given_in(blocks)
        reading.notes.refused = tuple(one for one in _given_in(frozen.blocks) if one not in left)
        return replace(frozen, blocks=blocks)

    def _excluded(self, request: Request, excluded: Excluded) -> Outcome:
        if not request.dry and excluded.reason != "unknown_shape":
            trace = trace_excluded(request, excluded, self._settings().identity.partition)
            if trace is not None:
                self._journal.trace(trace)
        return Outcome(Injection(excluded.status, excluded.reason), excluded.scope)


def _given_in(blocks: Mapping[str, Block]) -> dict[str, None]:
    """The memories in these blocks, in order."""
    return {given.memory: None for block in blocks.values() for given in block.given}


def _why_none(reading: Reading) -> tuple[Status, str] | None:
    """The status and the reason of a request that is given no block; None when it may be given one."""
    if not reading.standing.recall.allowed:
        return "off", _why_not(reading.standing.recall)
    if reading.options.inject is False:
        return "off", "header"
    return ("skipped", reading.reason) if not reading.said or reading.foreign else None


def _why_not(recall: Allowance) -> str:
    """The reason to tell when recall is not allowed."""
    if recall.by == "policy":
        return "opt_in" if recall.ruling and recall.ruling.policy == "opt_in" else "policy_off"
    return "paused" if recall.by == "person" else "inject_off"


def _has_layers(settings: Settings) -> bool:
    """True when some team may share memories."""
    return bool(settings.layers.teams or settings.layers.default)
