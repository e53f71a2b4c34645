"""People, as one ledger knows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Any, Final

from litellm_memory.database.database import Database
from litellm_memory.models import Caller, namespace, readable_id
from litellm_memory.people.held import Whose, delete_waiting, rows_of
from litellm_memory.people.holders import Holder, holder_row, named_by
from litellm_memory.people.proposals import Proposals
from litellm_memory.people.receipts import Receipts
from litellm_memory.people.register import Register
from litellm_memory.people.switches import Switches

MOST_KNOWN: Final = 10_000
"""Keys that a worker remembers to have told of."""


class People:
    """Names, switches, proposals and receipts, and which keys this worker has told the keeper of."""

    def __init__(self, database: Database) -> None:
        self.register = Register(database)
        self.switches = Switches(database)
        self.receipts = Receipts(database)
        self.proposals = Proposals(database)
        self._database = database
        self._told: dict[Caller, datetime] = {}

    def is_news(self, caller: Caller, now: datetime) -> bool:
        """True once an hour for a verified caller with these names; never for the master key."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        if caller.master or self._told.get(caller) == hour:
            return False
        if len(self._told) >= MOST_KNOWN:
            self._told.clear()
        self._told[caller] = hour
        return True

    def rows_on(self, partition: str, users: Iterable[str], *, alone: bool) -> AsyncIterator[list[dict[str, Any]]]:
        """Every row of the ledger on these users of a partition, in batches; ``alone``: they are all of it."""
        return rows_of(self._database, Whose(partition, frozenset(users), alone))

    async def unsay(self, partition: str, since: datetime) -> int:
        """Deletes what was said in a partition from then on and is not learned yet; how many. Raises LedgerError."""
        return await self._database.write(lambda c: delete_waiting(c, partition, since))

    def told(
        self, caller: Caller, partition: str, key: str, bound: str, *, clean: Callable[[str], str], now: datetime
    ) -> dict[str, Any]:
        """The record of a caller for the journal; ``clean`` redacts its names."""
        user = readable_id(caller.user) if bound == "team" and caller.user else None
        space = namespace(partition, user) if user else ""
        return holder_row(Holder(partition, key, bound, space, now, **named_by(caller, clean)))
