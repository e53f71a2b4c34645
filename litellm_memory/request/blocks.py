"""The blocks of a conversation: those frozen for its messages, and a new one for a person's new message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.ledger import Ledger
from litellm_memory.memories import Memories
from litellm_memory.memories.recall import Query, Recall
from litellm_memory.models import Block, Recalled, Status
from litellm_memory.redact import Redactor
from litellm_memory.render import render
from litellm_memory.request.background import off_loop
from litellm_memory.request.kinds import is_trivial
from litellm_memory.request.marks import Said
from litellm_memory.request.place import carried_in
from litellm_memory.request.reading import Reading, replay_timeout_s
from litellm_memory.settings import Settings

MAX_QUERY_CHARACTERS = 2000
"""How much of a message is searched for: the embedding model reads 256 tokens, and words need no more."""


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
    """Looks up frozen blocks and freezes new ones. A dry run freezes nothing."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        redactor: Callable[[], Redactor],
        ledger: Ledger,
        recall: Recall,
        memories: Memories,
    ) -> None:
        self._settings = settings
        self._redactor = redactor
        self._ledger = ledger
        self._recall = recall
        self._memories = memories

    async def frozen(self, reading: Reading, marks: Sequence[str]) -> Frozen:
        """The blocks frozen for these messages; only those in RAM when the ledger times out or fails."""
        try:
            async with asyncio.timeout(replay_timeout_s(self._settings())):
                with reading.notes.stage("replay"):
                    return Frozen(await self._frozen(reading, marks))
        except TimeoutError:
            failure: tuple[Status, str] = ("late", "replay")
        except LiteLLMMemoryError as error:
            failure = ("error", reason_of(error))
        if reading.kind == "person":
            self._freeze_instead(reading, Block(marks[-1]))
        return Frozen(self._ledger.blocks.cached(marks), failure)

    async def _frozen(self, reading: Reading, marks: Sequence[str]) -> Mapping[str, Block]:
        # No lookup for the new message's own block: ``freeze`` returns one that was frozen before.
        cached = self._ledger.blocks.cached(marks)
        if reading.kind == "person" and not reading.request.dry and set(marks[:-1]) <= cached.keys():
            return cached
        return await self._ledger.blocks.frozen(marks)

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
            self._memories.uses.note(given.memory for given in new.block.given)
        return new

    async def _recalled(self, reading: Reading, earlier: Mapping[str, Block]) -> NewBlock:
        notes, last = reading.notes, reading.said[-1]
        wanted = reading.options.query or last.text
        if is_trivial(wanted):
            return _new(await self._freeze(reading, Block(last.mark)), "trivial")
        notes.query = query_of(reading, wanted, earlier, self._settings())
        with notes.stage("recall"):
            notes.found = await self._recall(notes.query, now=notes.at)
        recalled = notes.found.recalled
        size = sum(item.memory.characters for item in recalled)
        block = await off_loop(size, partial(self._rendered, reading, last, recalled))
        return _new(await self._freeze(reading, block), "recalled" if recalled else "nothing_relevant")

    def _rendered(self, reading: Reading, last: Said, recalled: Sequence[Recalled]) -> Block:
        # A memory may be older than the rule that recognises a secret in it.
        redactor = self._redactor()
        return render(
            [replace(item, memory=redactor.memory(item.memory)) for item in recalled],
            self._settings().recall.format,
            mark=last.mark,
            layout=reading.options.layout,
            name_projects=reading.scope.project is None,
        )

    async def _freeze(self, reading: Reading, block: Block) -> Block:
        """The block that is frozen for the message: this one, unless another attempt froze one first."""
        if reading.request.dry:
            return block
        with reading.notes.stage("freeze"):
            return await self._ledger.blocks.freeze(block, namespace=reading.scope.namespace, call=reading.request.id)

    def _freeze_instead(self, reading: Reading, fallback: Block) -> None:
        """Freezes ``fallback`` in place of a block whose freeze may still be in flight."""
        if not reading.request.dry:
            self._ledger.blocks.give_up(fallback, namespace=reading.scope.namespace, call=reading.request.id)


def _new(block: Block, reason: str) -> NewBlock:
    return NewBlock(block, "injected" if block.text else "empty", reason)


def query_of(reading: Reading, wanted: str, earlier: Mapping[str, Block], settings: Settings) -> Query:
    """The query for ``wanted`` in the reading's scope, without the memories that the conversation already carries."""
    recall, options = settings.recall, reading.options
    return Query(
        text=wanted[:MAX_QUERY_CHARACTERS],
        scope=reading.scope,
        limit=_bounded(options.max_memories, recall.max_memories, recall.header_ceiling),
        tokens=_bounded(options.token_budget, recall.token_budget, recall.header_ceiling),
        min_score=recall.min_score,
        kinds=frozenset(options.kinds),
        tags=frozenset(options.tags),
        without=frozenset(carried_in(earlier.values(), reading.earlier)),
        said=frozenset(said.mark for said in reading.said),
        layout=options.layout,
        strict_projects=settings.identity.projects == "strict",
    )


def _bounded(asked: int | None, default: int, ceiling: float) -> int:
    """The value of a header, at most ``ceiling`` times the default; the default when there is no header."""
    return default if asked is None else max(0, min(asked, int(default * ceiling)))


def reason_of(error: Exception) -> str:
    """The error's type as a reason: ``StoreError`` is ``store``. Its text may name paths, so only the log has it."""
    return type(error).__name__.removesuffix("Error").lower()
