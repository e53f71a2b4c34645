"""The blocks of a conversation: those frozen for its messages, and a new one for a person's new message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Final

from litellm_memory.errors import AwayError, LiteLLMMemoryError
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger.blocks import memories_beside
from litellm_memory.memories.breaker import Breaker
from litellm_memory.memories.query import Query
from litellm_memory.models import Block, Status
from litellm_memory.redact import Redactor
from litellm_memory.request.finding import Find, Look, Question
from litellm_memory.request.kinds import is_trivial
from litellm_memory.request.long import pieces
from litellm_memory.request.marks import Said
from litellm_memory.request.place import carried_in
from litellm_memory.request.reading import Reading, replay_timeout_s
from litellm_memory.request.screened import screened
from litellm_memory.settings import Settings

MAX_QUERY_CHARACTERS = 2000
"""How much of a message is searched for: the embedding model reads 256 tokens, and words need no more."""

_UNSEEN: Final = Redactor.of_the_unseen()


@dataclass(frozen=True, slots=True)
class Frozen:
    """The blocks of earlier messages by mark. ``failure``: why some may be missing; None when all were read."""

    blocks: Mapping[str, Block]
    failure: tuple[Status, str] | None = None


@dataclass(frozen=True, slots=True)
class NewBlock:
    """The block for a person's new message, with the status and reason to report."""

    block: Block
    status: Status
    reason: str


class Blocks:
    """Looks up frozen blocks and freezes new ones. A dry run freezes nothing. ``breaker`` is the ledger's."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        journal: Journal,
        find: Find,
        breaker: Breaker,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._find = find
        self._breaker = breaker

    async def frozen(self, reading: Reading, marks: Sequence[str]) -> Frozen:
        """The blocks frozen for these messages; only those in RAM when the ledger times out or fails.

        What a team shares is cut from them for good unless it shares it with this very request.
        """
        try:
            with reading.notes.stage("replay"):
                return Frozen(await self._looked_up(reading, marks))
        except TimeoutError:
            failure: tuple[Status, str] = ("late", "replay")
        except LiteLLMMemoryError as error:
            failure = ("error", reason_of(error))
        if reading.kind == "person":
            self._freeze_instead(reading, Block(marks[-1]))
        return Frozen((await self._in_ram(reading, marks))[0], failure)

    async def withdraw(self, reading: Reading, marks: Sequence[str]) -> None:
        """Cuts what a team shares from the blocks of these messages, for a request that is given no block at all."""
        with suppress(TimeoutError, LiteLLMMemoryError):
            await self._looked_up(reading, marks)

    async def _looked_up(self, reading: Reading, marks: Sequence[str]) -> Mapping[str, Block]:
        known, missing = await self._in_ram(reading, marks)
        # No lookup for the new message's own block alone: ``freeze`` returns one that was frozen before.
        if missing == marks[-1:] and reading.kind == "person" and not reading.request.dry:
            return known
        if missing:
            with self._breaker.watch():
                async with asyncio.timeout(replay_timeout_s(self._settings())):
                    async for piece in pieces(missing):
                        known |= self._cut(reading, await self._journal.blocks.frozen(piece))
        return known

    async def _in_ram(self, reading: Reading, marks: Sequence[str]) -> tuple[dict[str, Block], list[str]]:
        """Those of these messages' blocks that are in RAM, and the marks of the messages that may have another."""
        known: dict[str, Block] = {}
        missing: list[str] = []
        async for piece in pieces(marks):
            found = self._journal.blocks.cached(piece)
            known |= self._cut(reading, found)
            missing += self._journal.blocks.missing(found, piece)
        return known, missing

    def _cut(self, reading: Reading, blocks: Mapping[str, Block]) -> Mapping[str, Block]:
        """``blocks`` without what is not shared with this request; the same object when that is nothing."""
        scopes = [one.namespace for one in (reading.scope, reading.shared) if one is not None]
        gone = {mark: cut for mark, block in blocks.items() if (cut := memories_beside(block, *scopes))}
        if not gone:
            return blocks
        reading.notes.cut += tuple(memory for cut in gone.values() for memory in cut)
        if not reading.request.dry:
            for mark, cut in gone.items():
                self._journal.blocks.cut(mark, cut)
        return {mark: block.without(gone[mark]) if mark in gone else block for mark, block in blocks.items()}

    async def question(self, reading: Reading, marks: Sequence[str]) -> Question | None:
        """What ``new`` is likely to search for; None when nothing, or when what is in RAM does not tell."""
        known, missing = await self._in_ram(reading, marks)
        newest = known.pop(marks[-1], None)
        wanted, last = _wanted(reading), reading.said[-1]
        is_retry = newest is not None and not newest.answered
        if is_retry or missing not in ([], marks[-1:]) or is_trivial(wanted):
            return None
        return query_of(reading, wanted, known, self._settings()), self._look(reading, last), reading.notes.at

    async def new(self, reading: Reading, earlier: Mapping[str, Block], *, fallback: Block) -> NewBlock:
        """The block for a person's new message, durable before it is used; ``fallback`` past the recall deadline."""
        with ExitStack() as unless_in_time:
            # A freeze that is still in flight must not win over ``fallback`` later, also if this request is cancelled.
            unless_in_time.callback(self._freeze_instead, reading, fallback)
            try:
                async with asyncio.timeout(self._settings().recall.deadline_ms / 1000):
                    new = await self._recalled(reading, earlier)
            except TimeoutError:
                return NewBlock(fallback, "late", "deadline")
            except LiteLLMMemoryError as error:
                return NewBlock(fallback, "error", reason_of(error))
            unless_in_time.pop_all()
        if not reading.request.dry:
            reading.notes.used = [given.memory for given in new.block.given]
        return new

    async def _recalled(self, reading: Reading, earlier: Mapping[str, Block]) -> NewBlock:
        notes, last = reading.notes, reading.said[-1]
        if self._waits_for_ledger(reading, last.mark):
            self._breaker.check()
        wanted = _wanted(reading)
        if is_trivial(wanted):
            return _new(await self._freeze(reading, Block(last.mark)), "trivial")
        notes.query = query_of(reading, wanted, earlier, self._settings())
        with notes.stage("recall"):
            found = await self._find(notes.query, self._look(reading, last), now=notes.at)
        notes.candidates = found.candidates
        if found.ahead_ms is not None:
            notes.stages["ahead"] = found.ahead_ms
        if not found.block.text:
            return _new(await self._freeze(reading, found.block), "nothing_relevant")
        block = await self._screened(reading, found.block)
        return _new(await self._freeze(reading, block), "recalled" if block.text else "guardrail")

    async def _screened(self, reading: Reading, block: Block) -> Block:
        """``block`` as the request's guardrails let it through; the trace names what they took out."""
        screen = reading.request.screen
        if screen is None:
            return block
        with reading.notes.stage("screen"):
            kept = await screened(block, screen)
        gone = {given.memory for given in block.given} - {given.memory for given in kept.given}
        reading.notes.candidates = tuple(
            replace(one, left_out="guardrail") if one.memory in gone else one for one in reading.notes.candidates
        )
        return kept

    def _look(self, reading: Reading, last: Said) -> Look:
        return Look(
            last.mark,
            self._settings().recall.format,
            layout=reading.options.layout,
            name_projects=reading.scope.project is None,
        )

    async def _freeze(self, reading: Reading, block: Block) -> Block:
        """The block that is frozen for the message: this one, unless another attempt froze one first."""
        if reading.request.dry:
            return block
        waits = self._waits_for_ledger(reading, block.mark)
        with reading.notes.stage("freeze"), self._breaker.watch() if waits else nullcontext():
            space, call = reading.scope.namespace, reading.request.id
            valid = await self._journal.blocks.freeze(block, namespace=space, call=call)
        # Another attempt, with a key of another team, may have frozen it.
        return self._cut(reading, {block.mark: valid})[block.mark]

    def _waits_for_ledger(self, reading: Reading, mark: str) -> bool:
        """False when a block for this message is frozen without a look into the ledger, or not at all."""
        return not reading.request.dry and bool(self._journal.blocks.missing({}, [mark]))

    def _freeze_instead(self, reading: Reading, fallback: Block) -> None:
        """Freezes ``fallback`` in place of a block whose freeze may still be in flight."""
        if not reading.request.dry:
            self._journal.blocks.give_up(fallback, namespace=reading.scope.namespace, call=reading.request.id)


def _wanted(reading: Reading) -> str:
    return reading.options.query or reading.said[-1].text


def _new(block: Block, reason: str) -> NewBlock:
    return NewBlock(block, "injected" if block.text else "empty", reason)


def query_of(reading: Reading, wanted: str, earlier: Mapping[str, Block], settings: Settings) -> Query:
    """The query for ``wanted`` in the reading's scope, without the memories that the conversation already carries."""
    recall, options = settings.recall, reading.options
    return Query(
        text=_UNSEEN.text(wanted[:MAX_QUERY_CHARACTERS]),
        scope=reading.scope,
        limit=_bounded(options.max_memories, recall.max_memories, recall.header_ceiling),
        tokens=_bounded(options.token_budget, recall.token_budget, recall.header_ceiling),
        min_score=recall.min_score,
        kinds=frozenset(options.kinds),
        tags=frozenset(options.tags),
        without=frozenset(carried_in(earlier.values(), reading.earlier)),
        said=frozenset(said.mark for said in reading.said),
        layout=options.layout,
        shared=None if reading.scope.only_session else reading.shared,
        strict_projects=settings.identity.projects == "strict",
    )


def _bounded(asked: int | None, default: int, ceiling: float) -> int:
    """The value of a header, at most ``ceiling`` times the default; the default when there is no header."""
    return default if asked is None else max(0, min(asked, int(default * ceiling)))


def reason_of(error: Exception) -> str:
    """The error's type as a reason: ``StoreError`` is ``store``. Its text may name paths, so only the log has it.

    ``store_away``: the store was not asked, because it had failed several times.
    """
    if isinstance(error, AwayError):
        return f"{error.part}_away"
    return type(error).__name__.removesuffix("Error").lower()
