"""What a worker appends to the journal for each request, and how it sees what the others appended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from litellm_memory.journal.blocks import JournalledAnswers, JournalledBlocks
from litellm_memory.journal.log import Log
from litellm_memory.journal.pen import Pen
from litellm_memory.journal.recent import Recent
from litellm_memory.ledger import CallRecord, Ledger, Trace
from litellm_memory.ledger.answers import Answers
from litellm_memory.ledger.blocks import FrozenBlocks
from litellm_memory.ledger.calls import call_row
from litellm_memory.ledger.journal import exchange_row
from litellm_memory.ledger.traces import trace_row
from litellm_memory.models import Exchange, Reply

WORDS: Final = "W"
"""A person's words that are to be learned."""
REPLY: Final = "R"
"""The answer that ended the turn."""
TRACE: Final = "T"
CALL: Final = "K"
HOLDER: Final = "H"
"""Who holds a partition."""
USES: Final = "U"
"""Memories that were put into a block."""


class Journal:
    """The journal in a data directory, as one worker writes it. Nothing here waits.

    ``blocks`` and ``answers`` are the ledger's own where other hosts share it: they must see them at once.
    """

    def __init__(self, data_dir: Path, ledger: Ledger) -> None:
        self.worker = ledger.journal.worker
        self._log = Log(data_dir / "journal")
        self._pen = Pen(self._log)
        self.blocks: JournalledBlocks | FrozenBlocks = ledger.blocks
        self.answers: JournalledAnswers | Answers = ledger.answers
        if ledger.database.is_sqlite:
            older = ledger.blocks
            recent = Recent(
                self._log,
                older=lambda mark: older.cached([mark]).get(mark),
                release=older.remember,
                lost=older.drop_all,
            )
            self.blocks = JournalledBlocks(self._log, self._pen, recent, older)
            self.answers = JournalledAnswers(self._pen, recent, ledger.answers)

    @property
    def trouble(self) -> str | None:
        """Why the journal cannot be written, with what to do; None when it can."""
        return self._pen.trouble

    async def tend(self) -> None:
        """Appends what could not be appended before, and takes in what others appended. Raises LedgerError."""
        self._pen.write_waiting()
        if isinstance(self.blocks, JournalledBlocks):
            await self.blocks.tend()

    def accept(self, exchange: Exchange) -> None:
        """Appends the person's words of an exchange."""
        self._pen.append((WORDS, exchange_row(exchange, self.worker)))

    def answered(self, mark: str, reply: Reply | None) -> None:
        """Appends the answer to a message; ``reply`` None: the call failed."""
        kept = reply if reply is not None and reply.complete and reply.text else None
        row = {"mark": mark, "reply": kept.text if kept else None, "tools": bool(kept and kept.tools)}
        self._pen.append((REPLY, row))

    def trace(self, trace: Trace, used: Iterable[str] = ()) -> None:
        """Appends a request's trace, and which memories its new block ``used``."""
        uses = list(used)
        self._pen.append((TRACE, trace_row(trace)), *([(USES, {"memories": uses})] if uses else ()))

    def call(self, record: CallRecord) -> None:
        """Appends what LiteLLM reports of a call."""
        self._pen.append((CALL, call_row(record)))

    def holder(self, row: dict[str, Any]) -> None:
        """Appends who holds a partition, as ``People.told`` has it."""
        self._pen.append((HOLDER, row))

    def close(self) -> None:
        """Closes the file."""
        self._pen.write_waiting()
        self._log.close()
