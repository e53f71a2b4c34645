"""Whose key a request has: told once an hour, so that operators know the partition by a name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from litellm_memory.identity.partition import bound_by, partition_of
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger import Ledger
from litellm_memory.redact import Redactor
from litellm_memory.request.request import Request
from litellm_memory.settings import Settings


class Noticing:
    """Appends to the journal what LiteLLM verified of a caller; nothing that the client wrote is read for it."""

    def __init__(
        self, settings: Callable[[], Settings], redactor: Callable[[], Redactor], ledger: Ledger, journal: Journal
    ) -> None:
        self._settings = settings
        self._redactor = redactor
        self._people = ledger.people
        self._journal = journal

    def __call__(self, request: Request) -> None:
        """Tells of the caller of a request when its names are news. Does not wait."""
        now = datetime.now(UTC)
        if request.dry or not self._people.is_news(request.caller, now):
            return
        caller, binding = request.caller, self._settings().identity.partition
        partition, bound = partition_of(caller, binding), bound_by(caller, binding)
        if partition is not None and bound is not None:
            key = partition_of(caller, "key") or ""
            told = self._people.told(caller, partition, key, bound, clean=self._redactor().text, now=now)
            self._journal.holder(told)
