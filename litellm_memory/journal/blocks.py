"""Frozen blocks and answers of all processes of this host: recent ones from the journal, older ones from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from litellm_memory.errors import LedgerError
from litellm_memory.journal.log import Log
from litellm_memory.journal.pen import Pen
from litellm_memory.journal.recent import ANSWER, CUT, FREEZE, GIVE_UP, SETTLE, Recent
from litellm_memory.ledger.answers import Answers, answer_digest, answer_row
from litellm_memory.ledger.blocks import FrozenBlocks, block_row
from litellm_memory.models import Block, Earlier


class JournalledBlocks:
    """As ``FrozenBlocks``, without a transaction: the first block that the journal has for a message stands."""

    def __init__(self, log: Log, pen: Pen, recent: Recent, older: FrozenBlocks) -> None:
        self._log = log
        self._pen = pen
        self._recent = recent
        self._older = older

    async def tend(self) -> None:
        """Takes in what was appended, and which older messages have a block: new ones are not looked up then.

        Raises LedgerError.
        """
        _follow(self._recent)
        if not self._recent.marks_known:
            missed = self._recent.missed
            self._recent.marks.update(await self._older.marks())
            self._recent.marks_known = missed == self._recent.missed

    async def frozen(self, marks: Sequence[str]) -> dict[str, Block]:
        """The frozen blocks of these marks, by mark. Raises LedgerError."""
        known = self.cached(marks)
        missing = self.missing(known, marks)
        if not missing:
            return known
        older = await self._older.frozen(missing)
        found = {mark: self._recent.decide(mark, older.get(mark)) for mark in missing}
        return known | {mark: block for mark, block in found.items() if block is not None}

    def cached(self, marks: Iterable[str]) -> dict[str, Block]:
        """Those of these blocks that are in RAM, by mark."""
        _follow(self._recent)
        known = {mark: block for mark in marks if (block := self._recent.block(mark)) is not None}
        return known | self._older.cached([mark for mark in marks if mark not in known])

    def missing(self, found: Mapping[str, Block], marks: Iterable[str]) -> list[str]:
        """Those of these marks of which the ledger may have a block that is not among those ``found`` in RAM."""
        return [mark for mark in marks if mark not in found and self._recent.may_be_older(mark)]

    async def freeze(self, block: Block, *, namespace: str, call: str) -> Block:
        """The block that is valid for its mark from now on: this one, or an earlier one that is not answered yet.

        Raises LedgerError when the journal cannot be written.
        """
        before = (await self.frozen([block.mark])).get(block.mark)
        if before is not None and not before.answered:
            return before
        try:
            self._log.append((FREEZE, block_row(block, namespace, call)))
        except OSError as error:
            raise LedgerError(f"The journal cannot be written ({error}): see its disk.") from None
        return self.cached([block.mark])[block.mark]

    def give_up(self, fallback: Block, *, namespace: str, call: str) -> None:
        """Freezes ``fallback`` in place of the block that ``call`` froze or may still freeze for its mark.

        A block that another call froze for the mark stays.
        """
        self._pen.append((GIVE_UP, block_row(fallback, namespace, call)))

    def cut(self, mark: str, memories: Sequence[str]) -> None:
        """Removes these memories from the block of a message; every other byte of it stays."""
        self._pen.append((CUT, {"mark": mark, "memories": memories}))

    def settle(self, mark: str) -> None:
        """Records that the message with this mark was answered."""
        self._pen.append((SETTLE, {"mark": mark}))

    def drop(self, mark: str) -> None:
        """Removes a block, which has changed in the ledger, from RAM."""
        # First what was appended before the change: it would bring the block back.
        with suppress(LedgerError):
            _follow(self._recent)
        self._recent.drop(mark)
        self._older.drop(mark)


class JournalledAnswers:
    """As ``Answers``."""

    def __init__(self, pen: Pen, recent: Recent, older: Answers) -> None:
        self._pen = pen
        self._recent = recent
        self._older = older

    async def earlier(self, answer: str, *, namespace: str) -> Earlier | None:
        """The state of the conversation that continues from the answer with this id; None for another namespace's."""
        _follow(self._recent)
        known = self._recent.answer(answer_digest(namespace, answer))
        return known or await self._older.earlier(answer, namespace=namespace)

    def keep(self, answer: str, earlier: Earlier, *, namespace: str) -> None:
        """Records the state of the conversation that continues from ``answer``."""
        self._pen.append((ANSWER, answer_row(answer, earlier, namespace)))


def _follow(recent: Recent) -> None:
    try:
        recent.follow()
    except OSError as error:
        raise LedgerError(f"The journal cannot be read ({error}): see its disk.") from None
