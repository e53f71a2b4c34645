"""Writes to the log what must not fail a request: what the disk does not take is kept in RAM for a while."""

from __future__ import annotations

from collections import deque
from typing import Final

from litellm_memory.journal.log import PARTLY, Log, Record, line_of

WAITING: Final = 10_000
"""At most this many records are kept in RAM while the disk is full; beyond that the oldest are lost."""


class Pen:
    """Appends to one log, in order. Nothing here fails."""

    def __init__(self, log: Log) -> None:
        self.trouble: str | None = None
        """Why the latest record could not be appended, with what to do; None when it could."""
        self._log = log
        self._waiting: deque[bytes] = deque(maxlen=WAITING)

    def append(self, *records: Record) -> None:
        """Appends these records now, or when ``write_waiting`` succeeds."""
        self._waiting.extend(map(line_of, records))
        self.write_waiting()

    def write_waiting(self) -> None:
        """Appends what could not be appended before."""
        try:
            if self._waiting:
                written = self._log.write(b"".join(self._waiting))
                while self._waiting and len(self._waiting[0]) <= written:
                    written -= len(self._waiting.popleft())
                if self._waiting:
                    if written == len(self._waiting[0]) - 1:
                        # It lacks its end alone, which the next record would bring: written anew it would be twice.
                        self._waiting[0] = b"\n"
                    raise OSError(PARTLY)
            self.trouble = None
        except OSError as error:
            self.trouble = f"The journal cannot be written ({error.strerror or error}): free some space on its disk."
