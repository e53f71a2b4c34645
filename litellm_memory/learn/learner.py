"""Exchange to memories kept: extracted, given an id that a repeat cannot double, stored. Runs beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from litellm_memory.errors import LiteLLMMemoryError, NotFoundError
from litellm_memory.extract import Candidate, Rule, Wish, candidates, meant, wishes
from litellm_memory.learn.compare import settle
from litellm_memory.learn.quarantine import with_held_back
from litellm_memory.ledger import Learned, Ledger
from litellm_memory.memories import Memories
from litellm_memory.metrics import count_learned
from litellm_memory.models import Block, Exchange, Memory, Origin, Scope, Superseded
from litellm_memory.screening import why_to_review
from litellm_memory.settings import LearnSettings
from litellm_memory.store import memory_id

logger = logging.getLogger(__name__)

BATCH = 64
RETRY_SECONDS = 2.0
"""Pause after the store refused a write; the journal keeps everything meanwhile."""
ADOPT_SECONDS = 5.0
WISHED = "the person wished it"
LULL_SECONDS, ROUND_SECONDS = 0.2, 0.5
"""How long learning waits after an answer, and at least from one round to the next: what is said close together costs
one reading and one writing."""


class Learner:
    """Learns from the journal, in the order in which things were said, for as long as it runs."""

    def __init__(self, ledger: Ledger, memories: Memories) -> None:
        self.settings = LearnSettings()
        self._ledger = ledger
        self._memories = memories
        self._awake = asyncio.Event()
        self._keeping = asyncio.Lock()
        """What two hold against what is known at the same time, both would keep."""
        self._waits: str | None = None
        """Why learning waits, as the log was told."""
        self._adopts_at = 0.0

    def wake(self) -> None:
        """There is something new in the journal."""
        self._awake.set()

    async def run(self) -> None:
        """Learns until cancelled. What fails stays in the journal and is tried again."""
        while True:
            self._awake.clear()
            began = asyncio.get_running_loop().time()
            pause = ADOPT_SECONDS
            try:
                await self._adopt()
                while await self.learn_waiting() == BATCH:
                    pass
                self._waits = None
            except LiteLLMMemoryError as error:
                self._wait_for(str(error))
                pause = RETRY_SECONDS
            except Exception as error:
                self._wait_for(type(error).__name__)
                logger.debug("Learning failed", exc_info=True)
                pause = RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            except TimeoutError:
                continue
            lasted = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(LULL_SECONDS, ROUND_SECONDS - lasted))

    def _wait_for(self, reason: str) -> None:
        if reason != self._waits:
            logger.warning("Learning waits: %s", reason)
        self._waits = reason

    async def learn_waiting(self) -> int:
        """How many exchanges of this worker were learned now."""
        ready = await self._ledger.journal.ready(BATCH)
        if ready:
            blocks = await self._ledger.blocks.frozen([exchange.mark for exchange in ready])
            left_out: dict[str, list[str]] = {exchange.id: [] for exchange in ready}
            found = await asyncio.to_thread(self._found_in, ready, blocks, left_out)
            found = [await self._new_in(exchange, memories) for exchange, memories in zip(ready, found, strict=True)]
            told = {call: [Learned("dropped", reason) for reason in reasons] for call, reasons in left_out.items()}
            for call, learned in await self.keep([*zip(ready, found, strict=True)]):
                told[call].append(learned)
            for exchange in ready:
                told[exchange.id] += await self._obey(exchange)
            self._ledger.traces.learned(told)
            if self.settings.model is not None:
                await self._ledger.model_queue.add([exchange for exchange in ready if not exchange.again])
            await self._ledger.journal.done(*(exchange.mark for exchange in ready))
        return len(ready)

    def _found_in(
        self, exchanges: Sequence[Exchange], blocks: Mapping[str, Block], left_out: Mapping[str, list[str]]
    ) -> list[list[Memory]]:
        settings, key = self.settings, self._ledger.key
        return [
            memories_of(exchange, settings, key, block=blocks.get(exchange.mark), left_out=left_out[exchange.id])
            for exchange in exchanges
        ]

    async def _new_in(self, exchange: Exchange, memories: list[Memory]) -> list[Memory]:
        """What there is to learn of what was found: of a message that is said again, what was superseded since."""
        if not exchange.again or not memories:
            return memories
        known = await self._memories.entries(exchange.scope.partition, [memory.id for memory in memories])
        ended = {memory.id for memory in known if not memory.in_force(exchange.said)}
        return [memory for memory in memories if memory.id in ended]

    async def keep(self, found: Sequence[tuple[Exchange, list[Memory]]]) -> list[tuple[str, Learned]]:
        """Keeps what was found in each exchange, and ends or confirms what was known; what became of it, by call."""
        async with self._keeping:
            return await self._settle(found)

    async def _settle(self, found: Sequence[tuple[Exchange, list[Memory]]]) -> list[tuple[str, Learned]]:
        new: list[list[Memory]] = []
        changed: dict[str, Memory] = {}
        merged: dict[str, str] = {}
        across_sessions: set[str] = set()
        for scope, memories in _by_scope(found):
            known = (await self._memories.index(scope.partition, scope.user)).all()
            settled = await asyncio.to_thread(settle, memories, known, only_session=scope.only_session)
            new.append([*settled.new.values()])
            changed |= settled.known
            merged |= settled.merged
            if not scope.only_session:
                across_sessions |= settled.new.keys()
        stands = await self._keep(new, across_sessions)
        count_learned(memory for made in new for memory in made if stands.get(memory.id) == memory.id)
        for memory in changed.values():
            await self._change(memory, stands)
        return _became([*chain.from_iterable(memories for _, memories in found)], new, changed, merged, stands)

    async def _keep(self, found: Sequence[Sequence[Memory]], across_sessions: Collection[str]) -> dict[str, str]:
        """Keeps memories, in one go when that can be. Which id stands for each: another's that said the same before."""
        memories = list(chain.from_iterable(found))
        try:
            kept = await self._memories.keep(memories, across_sessions=across_sessions)
            return {memory.id: stands.id for memory, stands in zip(memories, kept, strict=True)}
        except ValueError:
            if len(memories) > 1:
                alone = [await self._keep([[memory]], across_sessions) for memory in memories]
                return {new: stands for ids in alone for new, stands in ids.items()}
            # Chroma can never keep it; trying again would stop all that waits behind it.
            logger.error("A memory cannot be kept and is left out.")
            return {}

    async def _change(self, changed: Memory, stands: dict[str, str]) -> None:
        """Writes what became of a known memory; one that was forgotten meanwhile stays so."""
        by = changed.superseded_by
        if by is not None:
            by = Superseded(stands.get(by.id, by.id), by.reason)

        def change(memory: Memory) -> Memory:
            return replace(memory, confidence=changed.confidence, superseded_by=by, valid_until=changed.valid_until)

        with suppress(NotFoundError):
            await self._memories.correct(changed.partition, changed.id, change)

    async def _obey(self, exchange: Exchange) -> list[Learned]:
        """Does at once what the person wishes of memory itself; what became of the memories that were meant."""
        obeyed: list[Learned] = []
        # Who pasted an attack did not wish what it says.
        trusted = self.settings.patterns and why_to_review(exchange.text) is None
        for wish in wishes(exchange) if trusted else ():
            scope = exchange.scope
            index = await self._memories.index(scope.partition, scope.user)
            for memory in _meant(wish, index.all(), exchange):
                with suppress(NotFoundError):
                    if wish.action == "forget":
                        await self._memories.forget(scope.partition, memory.id)
                        obeyed.append(Learned("forgotten", WISHED, memory.id, memory.kind))
                    else:
                        await self._memories.correct(
                            scope.partition, memory.id, lambda known: replace(known, valid_until=exchange.said)
                        )
                        obeyed.append(Learned("ended", WISHED, memory.id, memory.kind))
        return obeyed

    async def _adopt(self) -> None:
        """Takes over what workers that are gone left in the journal, when it is time to look again."""
        now = asyncio.get_running_loop().time()
        if now >= self._adopts_at:
            await self._ledger.journal.adopt()
            self._adopts_at = now + ADOPT_SECONDS


def _by_scope(found: Iterable[tuple[Exchange, list[Memory]]]) -> list[tuple[Scope, list[Memory]]]:
    """What was found, by whose it is and by the session to which that is confined."""
    groups: dict[tuple[str, str | None], tuple[Scope, list[Memory]]] = {}
    for exchange, memories in found:
        scope = exchange.scope
        key = (scope.namespace, scope.session if scope.only_session else None)
        groups.setdefault(key, (scope, []))[1].extend(memories)
    return [*groups.values()]


def _became(
    found: Sequence[Memory],
    new: Iterable[Sequence[Memory]],
    changed: Mapping[str, Memory],
    merged: Mapping[str, str],
    stands: Mapping[str, str],
) -> list[tuple[str, Learned]]:
    """What became of everything found, and of the known memories whose place it took, by the call that it is from."""
    kept = {memory.id: memory for memory in chain.from_iterable(new)}
    calls = {memory.id: memory.origin.call_id or "" for memory in found}
    became = [(calls[memory.id], _one_became(memory, kept.get(memory.id), merged, stands)) for memory in found]
    for memory in changed.values():
        if memory.superseded_by is not None:
            taken = Learned("superseded", memory.superseded_by.reason, memory.id, memory.kind)
            became.append((calls[memory.superseded_by.id], taken))
    return became


def _one_became(memory: Memory, kept: Memory | None, merged: Mapping[str, str], stands: Mapping[str, str]) -> Learned:
    if kept is None:
        return Learned("merged", "it is known already", merged.get(memory.id), memory.kind)
    if memory.id not in stands:
        return Learned("dropped", "it cannot be kept", None, memory.kind)
    if stands[memory.id] != memory.id:
        return Learned("merged", "it is known already", stands[memory.id], memory.kind)
    if kept.superseded_by is not None:
        return Learned("superseded", kept.superseded_by.reason, kept.id, kept.kind)
    return Learned("kept" if kept.review is None else "queued", kept.review or "", kept.id, kept.kind)


def _meant(wish: Wish, known: Iterable[Memory], exchange: Exchange) -> list[Memory]:
    """The known memories in force that a wish is about, of the project and the session that it was uttered in."""
    scope = exchange.scope
    seen = [
        memory
        for memory in known
        if memory.in_force(exchange.said)
        and memory.message != exchange.mark
        and memory.project in (None, scope.project)
        and (not scope.only_session or memory.session == scope.session)
    ]
    texts = meant(wish, [memory.text for memory in seen])
    return [memory for memory in seen if memory.text in texts]


def memories_of(
    exchange: Exchange,
    settings: LearnSettings,
    key: bytes,
    *,
    block: Block | None = None,
    left_out: list[str] | None = None,
) -> list[Memory]:
    """The memories that an exchange makes, to which ``block`` was given; the same, id by id, however often asked.

    ``left_out`` is told why something is not among them.
    """
    rules = [Rule(rule.kind, rule.pattern, rule.about_person) for rule in settings.rules]
    given = [memory.text for memory in block.given] if block else []
    found = candidates(
        exchange, patterns=settings.patterns, turns=settings.turns, rules=rules, given=given, left_out=left_out
    )
    if settings.patterns or settings.turns:
        found = with_held_back(exchange, found)
    return [memory_from(exchange, candidate, str(ordinal), key) for ordinal, candidate in enumerate(found)]


def memory_from(exchange: Exchange, candidate: Candidate, name: str, key: bytes) -> Memory:
    """The memory that a candidate becomes. Its id is that of the message and ``name``, so a repeat doubles nothing."""
    scope = exchange.scope
    return Memory(
        id=memory_id(scope.namespace, exchange.mark, name, key=key),
        partition=scope.partition,
        user=scope.user,
        text=candidate.text,
        kind=candidate.kind,
        created=datetime.now(UTC),
        valid_from=exchange.said,
        project=None if candidate.about_person else scope.project,
        session=scope.session,
        origin=Origin(candidate.role, scope.client, exchange.id),
        confidence=candidate.confidence,
        reply=candidate.reply,
        message=exchange.mark,
        review=candidate.review or why_to_review(candidate.text),
    )
