"""Recent changes, for the workers that cache the data in RAM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, select, text

from litellm_memory.database.database import Database
from litellm_memory.database.tables import changes

NO_NAMESPACE: Final = ""
"""The namespace of a change to a frozen block; such a change has the block's mark as its memory."""
CHANGES_KEPT: Final = timedelta(hours=1)
"""How long a change is kept. A worker that reads none for so long misses some."""


class Changes:
    """The changes in one ledger, numbered in the order in which they became visible.

    ``drop_block`` and ``drop_paths`` remove from this worker's caches what another one changed: a block by its mark,
    the paths of an erased namespace.
    """

    def __init__(
        self, database: Database, *, drop_block: Callable[[str], None], drop_paths: Callable[[str], None]
    ) -> None:
        self._database = database
        self._drop_block = drop_block
        self._drop_paths = drop_paths

    async def publish(self, changed: Sequence[tuple[str, str]]) -> list[int]:
        """Publishes changes of (namespace, memory id) pairs; returns their numbers once other workers can read them."""
        rows = list(changed)
        return await self._database.write(lambda c: publish(c, rows))

    async def newest(self) -> int:
        """The number of the latest change; 0 when there is none."""
        return await self._database.read(lambda c: int(c.scalar(select(func.max(changes.c.seq))) or 0))

    async def since(self, seq: int) -> list[tuple[int, str, str]]:
        """(number, namespace, memory id) of every later change, in order.

        Two kinds are handled here instead: a change without a namespace removes the replaced block from the cache; one
        without a memory removes the paths of an erased namespace.
        """
        query = select(changes.c.seq, changes.c.namespace, changes.c.memory).where(changes.c.seq > seq)
        found = await self._database.read(
            lambda c: [(r[0], r[1], r[2]) for r in c.execute(query.order_by(changes.c.seq))]
        )
        for _, namespace, memory in found:
            if namespace == NO_NAMESPACE:
                self._drop_block(memory)
            elif not memory:
                self._drop_paths(namespace)
        return found


def publish(connection: Connection, changed: Sequence[tuple[str, str]]) -> list[int]:
    """Inserts these changes; returns their numbers. Other workers read them once the transaction is committed."""
    now = datetime.now(UTC)
    rows = [{"namespace": namespace, "memory": memory, "at": now} for namespace, memory in changed]
    if not rows:
        return []
    if connection.dialect.name == "postgresql":
        # Numbers must become visible in order: a worker that reads the later one first would miss the earlier one.
        connection.execute(text("LOCK TABLE changes IN SHARE ROW EXCLUSIVE MODE"))
    numbers = connection.scalars(changes.insert().returning(changes.c.seq), rows).all()
    connection.execute(delete(changes).where(changes.c.at < now - CHANGES_KEPT))
    return list(numbers)
