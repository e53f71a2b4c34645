"""What requests of this host left behind lately, by the journal's order. ``step`` is what that order means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from litellm_memory.journal.log import Log, Position, Record
from litellm_memory.journal.marks import Marks
from litellm_memory.models import Block, Earlier, Given

FREEZE: Final = "F"
"""A block was made for a message of a person."""
GIVE_UP: Final = "G"
"""A request went on with another block than it may have frozen."""
SETTLE: Final = "S"
"""The message was answered."""
CUT: Final = "C"
"""Memories were taken out of a message's block, because they are shared with its person no more."""
ANSWER: Final = "A"
"""The provider keeps the conversation under the id of an answer."""
KINDS: Final = b"FGSCA"


class FrozenBy(NamedTuple):
    """A block and the call that froze it."""

    block: Block
    call: str


def step(known: FrozenBy | None, kind: str, row: dict[str, Any]) -> FrozenBy | None:
    """What holds for a message after a record of it, when ``known`` held before.

    The first block stands until the message is answered: a retry gets what the first attempt got.
    """
    if kind == SETTLE:
        return known and FrozenBy(replace(known.block, answered=True), known.call)
    if kind == CUT:
        return known and FrozenBy(known.block.without(row["memories"]), known.call)
    if known is not None and (known.call != row["call"] if kind == GIVE_UP else not known.block.answered):
        return known
    given = tuple(Given(*one) for one in row["given"])
    return FrozenBy(Block(row["mark"], row["text"], given, row["answered"]), row["call"])


class Recent:
    """Blocks and answers in the segments that the keeper has not taken over yet.

    ``older`` returns a block that is in RAM already; ``release`` is called with each block whose segment was taken
    over, and ``lost`` when segments were taken over before they were read here: what is in RAM may be outdated.
    """

    def __init__(
        self,
        log: Log,
        *,
        older: Callable[[str], Block | None],
        release: Callable[[Block], None],
        lost: Callable[[], None],
    ) -> None:
        self.marks = Marks()
        """Of messages that had a block."""
        self.marks_known = False
        """True while no message has a block whose mark is not in ``marks``."""
        self.missed = 0
        """How often segments were taken over before they were read here."""
        self._log = log
        self._older = older
        self._release = release
        self._lost = lost
        self._blocks: dict[str, tuple[FrozenBy, int]] = {}
        self._undecided: dict[str, tuple[list[Record], int]] = {}
        """Records whose meaning depends on a block that is in the ledger and not in RAM."""
        self._answers: dict[str, tuple[Earlier, int]] = {}
        self._position: Position | None = None

    def may_be_older(self, mark: str) -> bool:
        """False when the ledger has no block for this message, unless a segment has one too."""
        return not self.marks_known or mark in self.marks

    def block(self, mark: str) -> Block | None:
        """The block of a message; None when no segment has one. Call ``follow`` first."""
        found = self._blocks.get(mark)
        return found[0].block if found else None

    def decide(self, mark: str, older: Block | None) -> Block | None:
        """The block of a message for which the ledger has the block ``older``, or none."""
        records, segment = self._undecided.pop(mark, ([], 0))
        known = FrozenBy(older, "") if older else None
        for kind, row in records:
            known = step(known, kind, row)
        if records and known is not None:
            self._blocks[mark] = known, segment
        return self.block(mark) or older

    def answer(self, digest: str) -> Earlier | None:
        """The state of a conversation, by the digest of its last answer."""
        found = self._answers.get(digest)
        return found[0] if found else None

    def drop(self, mark: str) -> None:
        """Removes a block that has changed in the ledger."""
        self._blocks.pop(mark, None)

    def follow(self) -> None:
        """Takes in what any process appended since the last time. Raises OSError."""
        while True:
            before = self._position or Position(min(self._log.segments(), default=0))
            records, self._position = self._log.read(before, KINDS)
            if self._position.segment != before.segment:
                self._let_go(missed=self._position.segment != before.segment + 1)
            for kind, row in records:
                self._take(kind, row)
            if self._position == before:
                return

    def _take(self, kind: str, row: dict[str, Any]) -> None:
        assert self._position is not None
        mark, segment = row["mark"], self._position.segment
        if kind == ANSWER:
            self._answers.setdefault(row["answer"], (Earlier(mark, tuple(row["carried"])), segment))
            return
        known = self._blocks[mark][0] if mark in self._blocks else None
        if known is None and (older := self._older(mark)) is not None:
            known = FrozenBy(older, "")
        if known is None and kind != FREEZE and self.may_be_older(mark):
            records, _ = self._undecided.get(mark, ([], 0))
            self._undecided[mark] = [*records, (kind, row)], segment
            return
        # Who froze a block had looked into the ledger before.
        self._undecided.pop(mark, None)
        now = step(known, kind, row)
        if now is not None:
            self.marks.add(mark)
            self._blocks[mark] = now, segment

    def _let_go(self, *, missed: bool) -> None:
        """Lets go of what was in segments that were taken over and deleted."""
        oldest = min(self._log.segments(), default=0)
        for mark, (frozen, segment) in list(self._blocks.items()):
            if segment < oldest:
                self._release(frozen.block)
                del self._blocks[mark]
        self._undecided = {mark: one for mark, one in self._undecided.items() if one[1] >= oldest}
        self._answers = {digest: one for digest, one in self._answers.items() if one[1] >= oldest}
        if missed:
            self.marks_known = False
            self.missed += 1
            self._lost()
