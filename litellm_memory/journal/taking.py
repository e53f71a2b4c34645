"""The keeper's side of the journal: its records become rows of the ledger, each exactly once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from litellm_memory.errors import LedgerError
from litellm_memory.journal.journal import CALL, HOLDER, REPLY, TRACE, USES, WORDS
from litellm_memory.journal.log import Log, Position, Record
from litellm_memory.journal.recent import ANSWER, CUT, FREEZE, GIVE_UP, SETTLE, FrozenBy, step
from litellm_memory.ledger import Ledger, Transaction, note_holders, note_taken_over
from litellm_memory.ledger.answers import keep_answers
from litellm_memory.ledger.blocks import blocks_of, cut_from, given_columns, put_blocks, settle_blocks
from litellm_memory.ledger.calls import note_calls
from litellm_memory.ledger.journal import accept_exchanges, answer_exchanges, go_on
from litellm_memory.ledger.traces import add_traces

logger = logging.getLogger(__name__)

KINDS: Final = "".join((WORDS, REPLY, TRACE, CALL, HOLDER, USES, FREEZE, GIVE_UP, SETTLE, CUT, ANSWER)).encode()
REFUSED: Final = (LedgerError, LookupError, TypeError, ValueError)
"""How a record fails of which no rows can be made."""
TAKEN_BYTES: Final = 256 * 1024
"""How much becomes rows in one transaction: some hundred exchanges, or three thousand of the shortest records. Whatever
else the keeper writes comes between two."""
SEGMENT_BYTES: Final = 4 * 1024 * 1024
"""A segment is closed when it has grown to this: each worker keeps its blocks in RAM until it is taken over."""


class Taker:
    """Takes over what is appended to the journal of a data directory."""

    def __init__(self, data_dir: Path, ledger: Ledger) -> None:
        self._log = Log(data_dir / "journal")
        self._ledger = ledger
        self._position: Position | None = None
        self.uses: Counter[str] = Counter()
        """How often memories were used since this was last read."""

    async def take(self) -> bool:
        """Takes over what is there, about TAKEN_BYTES at most; True when that was anything. Raises LedgerError,
        OSError."""
        if self._position is None:
            self._position = Position(*await self._ledger.facts.taken_over(self._log.id))
        records, position = self._log.read(self._position, KINDS, TAKEN_BYTES)
        if position == self._position:
            return False
        try:
            await self._ledger.database.write(lambda c: self._write(c, records, position))
        # The database retries while it is locked, full or away: what fails here is one of the records.
        except REFUSED as error:
            logger.debug("Records of the journal are taken over one by one (%s).", type(error).__name__)
            await self._write_each(records, position)
        self.uses.update(memory for kind, row in records if kind == USES for memory in row["memories"])
        if position.segment != self._position.segment:
            self._log.drop_before(position.segment)
        self._position = position
        if position.offset > SEGMENT_BYTES:
            self.rotate()
        return True

    async def take_all(self, *, rotate: bool) -> bool:
        """Takes over all that was appended before this call, and tells whether that was anything.

        ``rotate``: afterwards no segment holds it any more. Raises LedgerError, OSError.
        """
        if rotate:
            self._log.rotate()
        anything = await self.take()
        if anything:
            end = self._log.end()
            while self._position is not None and self._position < end and await self.take():
                pass
        if rotate and self._position is not None:
            self._log.drop_before(self._position.segment)
        return anything

    def rotate(self) -> None:
        """Begins a new segment; the one before is deleted once it is taken over."""
        self._log.rotate()

    def _write(self, connection: Transaction, records: Sequence[Record], position: Position) -> None:
        """Writes the rows of these records and the position behind them, in the caller's transaction."""
        _take(connection, records, self._ledger.journal.worker)
        note_taken_over(connection, self._log.id, *position)

    async def _write_each(self, records: Sequence[Record], position: Position) -> None:
        """Writes them without those that the ledger refuses, which would hold up all behind them."""
        for kind, row in records:
            try:
                one = [(kind, _storable(row))]
                await self._ledger.database.write(partial(_take, records=one, worker=self._ledger.journal.worker))
            except REFUSED as error:
                logger.error("A record (%s) of the journal is left out: %s", kind, type(error).__name__)
        await self._ledger.database.write(lambda c: note_taken_over(c, self._log.id, *position))

    def close(self) -> None:
        """Closes the files."""
        self._log.close()


def _storable(row: Any) -> Any:
    """A row whose texts every database takes: half a pair of surrogates none does, and PostgreSQL no NUL."""
    if isinstance(row, dict):
        return {name: _storable(value) for name, value in row.items()}
    if isinstance(row, list):
        return [_storable(value) for value in row]
    return row.encode(errors="replace").decode().replace("\0", "") if isinstance(row, str) else row


def _take(connection: Transaction, records: Sequence[Record], worker: str) -> None:
    """Writes the rows of these records."""

    def of(*kinds: str) -> list[dict[str, Any]]:
        return [row for kind, row in records if kind in kinds]

    _freeze(connection, [record for record in records if record[0] in (FREEZE, GIVE_UP, SETTLE, CUT)])
    keep_answers(connection, of(ANSWER))
    accept_exchanges(connection, of(WORDS))
    answer_exchanges(connection, of(REPLY), worker)
    go_on(connection, [row["before"] for row in of(WORDS) if row.get("before")], worker)
    add_traces(connection, of(TRACE))
    note_calls(connection, of(CALL))
    note_holders(connection, of(HOLDER))


def _freeze(connection: Transaction, records: Sequence[Record]) -> None:
    """Writes the blocks that hold after these records."""
    marks = {row["mark"] for kind, row in records if kind != SETTLE}
    # Most messages are answered later than their block is taken over.
    settle_blocks(connection, [row["mark"] for kind, row in records if kind == SETTLE and row["mark"] not in marks])
    held = {mark: FrozenBy(block, call) for mark, (block, call, _) in blocks_of(connection, list(marks)).items()}
    rows: dict[str, dict[str, Any]] = {}
    for kind, row in records:
        mark = row["mark"]
        before = held.get(mark)
        if mark not in marks or (after := step(before, kind, row)) is before or after is None:
            continue
        held[mark] = after
        if kind == CUT:
            if "text" in rows.get(mark, ()):
                rows[mark] |= given_columns(after.block)
            else:
                cut_from(connection, [mark], row["memories"])
            continue
        rows[mark] = {**rows.get(mark, row), "answered": True} if kind == SETTLE else row
    # A message that is sent again may be settled before it gets another block: its row is there already.
    put_blocks(connection, [row for row in rows.values() if "text" in row])
    settle_blocks(connection, [mark for mark, row in rows.items() if "text" not in row])
