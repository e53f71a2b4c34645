"""Pages of memories, newest first: the ledger gives the order, the store the memories of one page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from litellm_memory.ledger import Ledger, ListFilter, ListPosition
from litellm_memory.models import NAMESPACE_DIGITS, Memory
from litellm_memory.store import Store, every_memory

NEWEST = 200
"""Memories among which users are looked for."""
PAGE_SIZE = 1000
"""Memories per page when all of them are read."""


class MemoryLists:
    """Lists of the memories in the store that ``store`` returns; the next page shows what any worker wrote before.

    ``settled`` returns once all that is shown can be found too.
    """

    def __init__(self, ledger: Ledger, store: Callable[[], Store], settled: Callable[[], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._store = store
        self._settled = settled
        self._filling: asyncio.Task[None] | None = None

    async def page(
        self, partition: str, asked: ListFilter, *, after: ListPosition | None = None, limit: int
    ) -> tuple[list[Memory], ListPosition | None]:
        """At most ``limit`` memories after a position, newest first, then by id; and where the next page begins.

        The latter is None when there is no next page. Whoever is shown a memory here finds it with the next search.
        """
        await self.fill()
        page = await self._page(partition, asked, after, limit)
        await self._settled()
        return page

    async def _page(
        self, partition: str, asked: ListFilter, after: ListPosition | None, limit: int
    ) -> tuple[list[Memory], ListPosition | None]:
        found: list[tuple[ListPosition, Memory]] = []
        while True:
            # One more than needed, to know whether there is a next page.
            wanted = limit + 1 - len(found)
            positions = await self._ledger.listing.page(partition, asked, after=after, limit=wanted)
            entries = await self._store().get(partition, [position.memory for position in positions], vectors=False)
            there = {entry.memory.id: entry.memory for entry in entries if asked.admits(entry.memory)}
            found += [(position, there[position.memory]) for position in positions if position.memory in there]
            if len(found) > limit:
                return [memory for _, memory in found[:limit]], found[limit - 1][0]
            if len(positions) < wanted:
                return [memory for _, memory in found], None
            after = positions[-1]

    async def newest_users(self, partition: str, *, limit: int) -> list[str]:
        """At most ``limit`` users of the newest memories of a partition, whose latest memory is the newest first.

        Only one memory of each is read from the store.
        """
        await self.fill()
        positions = await self._ledger.listing.page(partition, ListFilter(), limit=NEWEST)
        # An id begins with the digits of its user's namespace.
        latest: dict[str, str] = {}
        for position in positions:
            latest.setdefault(position.memory[:NAMESPACE_DIGITS], position.memory)
        ids = [*latest.values()][:limit]
        entries = await self._store().get(partition, ids, vectors=False)
        users = {entry.memory.id: entry.memory.user for entry in entries}
        return [users[one] for one in ids if one in users]

    async def all(self, partition: str, asked: ListFilter) -> list[Memory]:
        """All memories of a partition that match ``asked``, newest first, then by id."""
        found, after = await self.page(partition, asked, limit=PAGE_SIZE)
        while after is not None:
            more, after = await self.page(partition, asked, after=after, limit=PAGE_SIZE)
            found += more
        return found

    async def superseded_by(self, partition: str, successors: Sequence[str]) -> list[Memory]:
        """The memories of a partition that one of ``successors`` (ids) superseded, in no particular order."""
        await self.fill()
        found: list[Memory] = []
        for start in range(0, len(successors), PAGE_SIZE):
            ids = await self._ledger.listing.superseded_by(partition, successors[start : start + PAGE_SIZE])
            found += [entry.memory for entry in await self._store().get(partition, ids, vectors=False)]
        return found

    async def fill(self) -> None:
        """Adds every memory of the store to the ledger's list, once per ledger; takes about 0.1 ms per memory.

        There is work only when the ledger is newer than the store. Raises StoreError and LedgerError.
        """
        self.begin_fill()
        assert self._filling is not None
        await asyncio.shield(self._filling)

    def begin_fill(self) -> None:
        """As ``fill``, in the background; again when that has failed."""
        if self._filling is None or _has_failed(self._filling):
            self._filling = asyncio.create_task(self._fill())
            # Retrieves the exception: otherwise asyncio warns when nobody is waiting.
            self._filling.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def aclose(self) -> None:
        """Cancels a fill that is in progress."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)

    async def _fill(self) -> None:
        store = self._store()
        if await self._ledger.listing.is_filled(store.id):
            return
        async for memories in every_memory(store):
            await self._ledger.listing.announce(memories)
        await self._ledger.listing.filled(store.id)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
