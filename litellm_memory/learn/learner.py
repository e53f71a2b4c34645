"""From an exchange to stored memories, each with an id that makes learning idempotent. Runs in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.extract import commands_in
from litellm_memory.extract.pairs import read_together, replaced
from litellm_memory.extract.reconcile import Reconciliation, reconcile, with_outcome
from litellm_memory.learn.attempts import DEAD_LETTERS_KEPT, Attempts, sentence_of
from litellm_memory.learn.guard import error_of
from litellm_memory.learn.known import KnownByUser
from litellm_memory.learn.making import Made, memories_of
from litellm_memory.learn.sayings import SAID_AGAIN, UNLEARNED, sayings_of
from litellm_memory.learn.wishes import Wishes
from litellm_memory.ledger import Learned, Ledger, Saying
from litellm_memory.memories import Memories
from litellm_memory.metrics import count_learned
from litellm_memory.models import Block, Exchange, Memory, Scope, Superseded
from litellm_memory.screening import shown_aim
from litellm_memory.settings import LearnSettings

logger = logging.getLogger(__name__)

BATCH: Final = 200
"""Exchanges per batch: what is learned together shares reads and writes."""
RETRY_SECONDS: Final = 2.0
"""Pause after the store refused a write; the journal keeps the exchanges meanwhile."""
ROUNDS_UNREPORTED: Final = 30
"""Rounds in a row that fail for the same reason before it is reported, a minute or more: usually another part reports
it."""
SUSPECTS: Final = 3
"""Exchanges in a row at which the store or the ledger may fail before it is considered down for all of them."""
ADOPT_SECONDS: Final = 5.0
"""How often the journal is checked for dead letters and for exchanges of workers that are gone."""
LULL_SECONDS, BUSY_SECONDS, BUSY_FROM = 0.2, 2.0, 8
"""Pause before a round, and before one after a round of so many exchanges: the more is said, the more shares its reads
and writes. A batch that is full is learned at once."""


class Learner:
    """Learns from the journal in the order in which things were said.

    ``report`` is called with a sentence for the operator when learning has a problem, and with None when it is over.
    """

    def __init__(self, ledger: Ledger, memories: Memories, report: Callable[[str | None], None]) -> None:
        self.settings = LearnSettings()
        self._ledger = ledger
        self._memories = memories
        self._report = report
        self._awake = asyncio.Event()
        self._keeping = asyncio.Lock()
        """Two comparisons with what is known at the same time would both keep the same statement."""
        self._known = KnownByUser()
        self._wishes = Wishes(ledger, memories)
        self._attempts = Attempts()
        self._waits: tuple[str, int] | None = None
        """Why learning waits, and for how many rounds."""
        self._trouble: str | None = None
        """The reported sentence on dead letters."""
        self._learned = 0
        """Exchanges in the latest round."""
        self._looks_at: float | None = None
        """When the journal is checked next, in the event loop's time; None before the first check."""

    def wake(self) -> None:
        """Signals that the journal has something new."""
        self._awake.set()

    async def run(self) -> None:
        """Learns until cancelled. Failures stay in the journal and are retried."""
        while True:
            self._awake.clear()
            pause = ADOPT_SECONDS if await self._round() else RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(BUSY_SECONDS if self._learned >= BUSY_FROM else LULL_SECONDS)

    async def _round(self) -> bool:
        """Learns all that waits; False when that failed for a reason that concerns every exchange."""
        error = await error_of(self._learn_all())
        if error is None:
            self._waits = None
            self._report(self._trouble)
        elif isinstance(error, LiteLLMMemoryError):
            self._wait_for(str(error))
        else:
            self._wait_for(f"a defect ({type(error).__name__}); update litellm-memory.")
        return error is None

    async def _learn_all(self) -> None:
        await self._look()
        self._learned = new = await self.learn_waiting()
        while new == BATCH:
            new = await self.learn_waiting()
            self._learned += new

    def _wait_for(self, reason: str) -> None:
        """Logs why learning waits, and reports it when that persists."""
        rounds = self._waits[1] + 1 if self._waits and self._waits[0] == reason else 1
        if rounds == 1:
            logger.warning("Learning waits: %s", reason)
        if rounds == ROUNDS_UNREPORTED:
            self._report(f"Learning waits: {reason}")
        self._waits = (reason, rounds)

    async def _look(self) -> None:
        """Takes over exchanges of workers that are gone, and reports dead letters, at intervals.

        At its first check a worker retries dead letters once: an update may have fixed their error.
        """
        now, letters = asyncio.get_running_loop().time(), self._ledger.dead_letters
        if self._looks_at is None:
            await letters.take_back(self._ledger.journal.worker)
        elif now < self._looks_at:
            return
        await self._ledger.journal.adopt()
        await self._ledger.removed.drop_late()
        dead = await letters.all()
        too_old = datetime.now(UTC) - DEAD_LETTERS_KEPT
        if dead and dead[0].said < too_old:
            logger.warning("%d dead letters are dropped unlearned.", await letters.drop(too_old))
            dead = await letters.all()
        self._trouble = sentence_of(dead)
        self._looks_at = now + ADOPT_SECONDS

    async def learn_waiting(self) -> int:
        """Learns this worker's exchanges in batches; returns how many were tried for the first time. Retries run one by
        one."""
        waiting = await self._ledger.journal.ready(BATCH + len(self._attempts))
        new = [exchange for exchange in waiting if exchange.mark not in self._attempts][:BATCH]
        works = await self._learn_together(new) if new else False
        now = asyncio.get_running_loop().time()
        await self._learn_each([one for one in waiting if self._attempts.is_due(one.mark, now)], works=works)
        return len(new)

    async def _learn_together(self, exchanges: Sequence[Exchange]) -> bool:
        """Learns these exchanges in one batch, or one by one when that fails; True when any was learned."""
        return await error_of(self._learn(exchanges)) is None or await self._learn_each(exchanges, works=False)

    async def _learn_each(self, exchanges: Sequence[Exchange], *, works: bool) -> bool:
        """Learns one by one, and counts a failed attempt of each that fails; True when any was learned.

        An error of the store or the ledger is blamed on an exchange only when others can be learned (``works``: some
        just were); else it is raised.
        """
        suspects: list[tuple[Exchange, LiteLLMMemoryError]] = []
        for exchange in exchanges:
            error = await error_of(self._learn([exchange]))
            if error is None:
                works = True
                self._attempts.forget(exchange.mark)
                while suspects:
                    await self._failed(*suspects.pop())
            elif isinstance(error, LiteLLMMemoryError):
                suspects.append((exchange, error))
                if len(suspects) == SUSPECTS:
                    raise error
            else:
                await self._failed(exchange, error)
        for exchange, reason in suspects:
            if not works:
                raise reason
            await self._failed(exchange, reason)
        return works

    async def _failed(self, exchange: Exchange, error: Exception) -> None:
        name = type(error).__name__
        logger.debug("What was said in call %s could not be learned (%s).", exchange.id, name)
        if self._attempts.failed(exchange.mark, asyncio.get_running_loop().time()):
            logger.error("What was said in call %s cannot be learned (%s); it is a dead letter now.", exchange.id, name)
            await self._ledger.dead_letters.put(exchange.mark, name)
            self._ledger.traces.learned({exchange.id: [Learned("dropped", f"it could not be learned ({name})")]})
            self._attempts.forget(exchange.mark)
            self._trouble = sentence_of(await self._ledger.dead_letters.all())

    async def _learn(self, exchanges: Sequence[Exchange]) -> None:
        blocks = await self._ledger.blocks.frozen([exchange.mark for exchange in exchanges])
        await asyncio.to_thread(read_together, [exchange.text for exchange in exchanges])
        sayings = await sayings_of(self._ledger, exchanges)
        made = await asyncio.to_thread(self._made_of, exchanges, blocks, sayings)
        told = {
            exchange.id: [Learned("dropped", reason) for reason in one.dropped]
            for exchange, one in zip(exchanges, made, strict=True)
        }
        found = [await self._new_in(exchange, one.memories) for exchange, one in zip(exchanges, made, strict=True)]
        only_if_ends = frozenset().union(*(one.only_if_ends for one in made))
        for call, learned in await self.keep([*zip(exchanges, found, strict=True)], only_if_ends=only_if_ends):
            told[call].append(learned)
        for exchange, saying in zip(exchanges, sayings, strict=True):
            ended = any(learned.what == "superseded" for learned in told[exchange.id])
            told[exchange.id] += await self._obey(exchange, ended=ended) if saying in ("new", "paused") else ()
        self._ledger.traces.learned(told)
        new = [exchange for exchange, saying in zip(exchanges, sayings, strict=True) if saying == "new"]
        if self.settings.model is not None:
            await self._ledger.model_queue.add([exchange for exchange in new if not exchange.again])
        await self._ledger.sayings.said(exchanges, paused=[saying == "paused" for saying in sayings])
        await self._ledger.journal.done(*(exchange.mark for exchange in exchanges))

    def _made_of(
        self, exchanges: Sequence[Exchange], blocks: Mapping[str, Block], sayings: Sequence[Saying]
    ) -> list[Made]:
        made: list[Made] = []
        for exchange, saying in zip(exchanges, sayings, strict=True):
            if saying in UNLEARNED:
                made.append(Made((), (UNLEARNED[saying],)))
                continue
            block = blocks.get(exchange.mark)
            found = memories_of(exchange, self.settings, self._ledger.key, block=block)
            made.append(found.to_review(SAID_AGAIN, exchange, self._ledger.key) if saying == "unclear" else found)
        return made

    async def _new_in(self, exchange: Exchange, memories: Sequence[Memory]) -> Sequence[Memory]:
        """The new memories among those found: of a repeated message, those that were superseded since."""
        if not exchange.again or not memories or memories[0].review == SAID_AGAIN:
            return memories
        known = await self._memories.entries(exchange.scope.partition, [memory.id for memory in memories])
        ended = {memory.id for memory in known if not memory.in_force(exchange.said)}
        return [memory for memory in memories if memory.id in ended]

    async def keep(
        self, found: Sequence[tuple[Exchange, Sequence[Memory]]], *, only_if_ends: Collection[str] = frozenset()
    ) -> list[tuple[str, Learned]]:
        """Stores what was found in each exchange, and ends or confirms known memories; returns the outcomes by call.

        Those with ids in ``only_if_ends`` are stored only when something known is over by them.
        """
        async with self._keeping:
            return await self._reconcile(found, only_if_ends)

    async def _reconcile(
        self, found: Sequence[tuple[Exchange, Sequence[Memory]]], only_if_ends: Collection[str]
    ) -> list[tuple[str, Learned]]:
        groups = _by_scope(found)
        known = [(await self._memories.index(scope.partition, scope.user)).all() for scope, _ in groups]
        parts = await asyncio.to_thread(self._held_against, groups, known, only_if_ends)
        whole = Reconciliation()
        across_sessions: set[str] = set()
        for (scope, _), part in zip(groups, parts, strict=True):
            whole = whole.joined(part)
            if not scope.only_session:
                across_sessions |= part.new.keys()
        ids = await self._keep([*whole.new.values()], across_sessions)
        count_learned(memory for memory in whole.new.values() if ids.get(memory.id) == memory.id)
        for memory in whole.known.values():
            await self._change(memory, ids)
        return _became([*chain.from_iterable(memories for _, memories in found)], whole, ids)

    def _held_against(
        self,
        groups: Sequence[tuple[Scope, Sequence[Memory]]],
        known: Sequence[Sequence[Memory]],
        only_if_ends: Collection[str],
    ) -> list[Reconciliation]:
        return [
            reconcile(
                memories,
                self._known.of(scope.namespace, there),
                only_session=scope.only_session,
                only_if_ends=only_if_ends,
                judge=replaced,
            )
            for (scope, memories), there in zip(groups, known, strict=True)
        ]

    async def _keep(self, memories: Sequence[Memory], across_sessions: Collection[str]) -> dict[str, str]:
        """Stores memories, in one batch if possible; returns the id that each has now: an existing one's that says the
        same."""
        try:
            kept = await self._memories.keep(memories, across_sessions=across_sessions)
            return {memory.id: known.id for memory, known in zip(memories, kept, strict=True)}
        except ValueError:
            if len(memories) > 1:
                alone = [await self._keep([memory], across_sessions) for memory in memories]
                return {new: known for ids in alone for new, known in ids.items()}
            # Chroma can never store it; a retry would block all that waits behind it.
            logger.error("A memory cannot be kept and is left out.")
            logger.debug("A memory cannot be kept", exc_info=True)
            return {}

    async def _change(self, changed: Memory, ids: Mapping[str, str]) -> None:
        """Writes the change to a known memory; one that was forgotten meanwhile stays forgotten."""
        by = changed.superseded_by
        if by is not None:
            changed = replace(changed, superseded_by=Superseded(ids.get(by.id, by.id), by.reason))
        with suppress(NotFoundError):
            await self._memories.correct(changed.partition, changed.id, lambda memory: with_outcome(memory, changed))

    async def _obey(self, exchange: Exchange, *, ended: bool) -> list[Learned]:
        """Carries out the person's wishes about memory; returns the outcomes for the memories they concern.

        ``ended``: something known is over by what they said. What may be a wish too was a denial, then.
        """
        wishes = [wish for wish in commands_in(exchange) if wish.sure or wish.action == "pause" or not ended]
        # A person who pasted an attack did not give its commands.
        if not self.settings.patterns or not wishes or shown_aim(exchange.text) is not None:
            return []
        outcomes, questions = await self._wishes.obey(exchange)
        return [*outcomes, *(told for _, told in await self.keep([(exchange, questions)]))] if questions else outcomes


def _by_scope(found: Iterable[tuple[Exchange, Sequence[Memory]]]) -> list[tuple[Scope, list[Memory]]]:
    """What was found, by scope and by the session to which it is confined."""
    groups: dict[tuple[str, str | None], tuple[Scope, list[Memory]]] = {}
    for exchange, memories in found:
        scope = exchange.scope
        key = (scope.namespace, scope.session if scope.only_session else None)
        if memories:  # All that is known of a user is read for the comparison.
            groups.setdefault(key, (scope, []))[1].extend(memories)
    return [*groups.values()]


def _became(found: Sequence[Memory], result: Reconciliation, ids: Mapping[str, str]) -> list[tuple[str, Learned]]:
    """The outcomes of all that was found and of the known memories it superseded, by the call it came from."""
    calls = {memory.id: memory.origin.call_id or "" for memory in found}
    became = [(calls[memory.id], _one_became(memory, result, ids)) for memory in found if memory.id not in result.idle]
    for memory in result.known.values():
        if memory.superseded_by is not None:
            replaced = Learned("superseded", memory.superseded_by.reason, memory.id, memory.kind)
            became.append((calls[memory.superseded_by.id], replaced))
    return became


def _one_became(memory: Memory, result: Reconciliation, ids: Mapping[str, str]) -> Learned:
    kept = result.new.get(memory.id)
    if kept is None:
        return Learned("merged", "it is known already", result.merged.get(memory.id), memory.kind)
    if memory.id not in ids:
        return Learned("dropped", "it cannot be kept", None, memory.kind)
    if ids[memory.id] != memory.id:
        return Learned("merged", "it is known already", ids[memory.id], memory.kind)
    if kept.superseded_by is not None:
        return Learned("superseded", kept.superseded_by.reason, kept.id, kept.kind)
    return Learned("kept" if kept.review is None else "queued", kept.review or "", kept.id, kept.kind)
