"""Frozen blocks: the bytes that were injected for each message of a person, replayed whenever it is sent again."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, Text, bindparam, cast, delete, false, func, or_, select, update

from litellm_memory.database.database import Database
from litellm_memory.database.tables import aware, blocks, insert_new, upsert_all
from litellm_memory.ledger.changes import NO_NAMESPACE, publish
from litellm_memory.models import NAMESPACE_DIGITS, Block, Given

BLOCKS_IN_RAM: Final = 4096
"""Size of the LRU cache of blocks, per process."""
BLOCKS_KEPT: Final = timedelta(days=180)
"""How long a block is kept. After half a year no provider has the conversation in its prompt cache."""
MAX_BLOCKS: Final = 1_000_000
"""At most this many blocks are kept in the database; beyond that the oldest are dropped."""

MOST_LOOKED_FOR: Final = 50
"""Ids that the database looks for in blocks; for more, all blocks of a namespace are read."""

# Built once, because it runs with every request: SQLAlchemy takes longer to build a statement than to run it.
_SETTLE: Final = update(blocks).where(blocks.c.mark == bindparam("of")).values(answered=True)


class FrozenBlocks:
    """The frozen blocks of one ledger, with an LRU cache."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: OrderedDict[str, Block] = OrderedDict()

    async def frozen(self, marks: Sequence[str]) -> dict[str, Block]:
        """The frozen blocks of these marks, by mark; from the cache where it has them."""
        known = self.cached(marks)
        missing = self.missing(known, marks)
        if missing:
            for block, *_ in (await self._database.read(lambda c: blocks_of(c, missing))).values():
                self.remember(block)
                known[block.mark] = block
        return known

    def cached(self, marks: Sequence[str]) -> dict[str, Block]:
        """Those of these blocks that the cache has, by mark."""
        known = {mark: self._cache[mark] for mark in marks if mark in self._cache}
        for mark in known:
            self._cache.move_to_end(mark)
        return known

    def missing(self, found: Mapping[str, Block], marks: Iterable[str]) -> list[str]:
        """Those of these marks of which there may be a block that is not among those ``found`` in RAM."""
        return [mark for mark in marks if mark not in found]

    async def freeze(self, block: Block, *, namespace: str, call: str) -> Block:
        """The block that is valid for its mark from now on: this one, or an earlier one that is not answered yet."""
        valid = await self._database.write(lambda c: _freeze(c, block, namespace, call))
        self.remember(valid)
        return valid

    def give_up(self, fallback: Block, *, namespace: str, call: str) -> None:
        """Freezes ``fallback`` in place of the block that ``call`` froze or may still freeze for its mark; does not
        wait.

        A block that another call froze for the mark stays.
        """
        self.drop(fallback.mark)
        self._database.submit(lambda c: _overwrite(c, fallback, namespace, call))

    def cut(self, mark: str, memories: Sequence[str]) -> None:
        """Removes these memories from a block; every other byte of it stays. Does not wait."""
        if mark in self._cache:
            self.remember(self._cache[mark].without(memories))
        self._database.submit(lambda c: publish(c, [(NO_NAMESPACE, one) for one in cut_from(c, [mark], memories)]))

    def settle(self, mark: str) -> Future[None]:
        """Records that the message with this mark was answered; the future is done once that is durable."""
        if mark in self._cache:
            self.remember(replace(self._cache[mark], answered=True))
        return self._database.submit(lambda c: _settle(c, mark))

    def drop(self, mark: str) -> None:
        """Removes a block, which has changed in the database, from the cache."""
        self._cache.pop(mark, None)

    def drop_all(self) -> None:
        """Empties the cache, which may be outdated."""
        self._cache.clear()

    async def marks(self) -> list[str]:
        """The marks of all blocks. Raises LedgerError."""
        return await self._database.read(lambda c: list(c.scalars(select(blocks.c.mark))))

    def remember(self, block: Block) -> None:
        """Puts a block of the database into the cache."""
        self._cache[block.mark] = block
        self._cache.move_to_end(block.mark)
        while len(self._cache) > BLOCKS_IN_RAM:
            self._cache.popitem(last=False)


def cut_out(connection: Connection, memories: Collection[str], namespaces: Collection[str]) -> list[str]:
    """Removes these memories of these namespaces from all blocks; returns the marks of the changed blocks."""
    return cut_from(connection, marks_with(memories, namespaces), memories)


def cut_from(connection: Connection, marks: Sequence[str] | Select[tuple[str]], memories: Collection[str]) -> list[str]:
    """Removes these memories from these blocks, of which every other byte stays; returns the marks of the changed."""
    cut = []
    for block, *_ in blocks_of(connection, marks).values():
        if not set(memories).isdisjoint(given.memory for given in block.given):
            values = given_columns(block.without(memories))
            connection.execute(update(blocks).where(blocks.c.mark == block.mark).values(values))
            cut.append(block.mark)
    return cut


def marks_with(memories: Collection[str], namespaces: Collection[str]) -> Select[tuple[str]]:
    """Selects the marks of the blocks that may have one of these memories: of their namespaces, and of others with whom
    these are shared.

    The database looks for a few ids itself: reading every block of a large namespace would hold the writer up.
    """
    shared = blocks.c.shared.in_([namespace[:NAMESPACE_DIGITS] for namespace in namespaces])
    marks = select(blocks.c.mark).where(or_(blocks.c.namespace.in_(namespaces), shared))
    if len(memories) > MOST_LOOKED_FOR:
        return marks
    given = cast(blocks.c.given, Text)
    # Faster than LIKE, and every database has it.
    holds = (func.replace(given, json.dumps(memory)[1:-1], "") != given for memory in memories if memory)
    return marks.where(or_(false(), *holds))


def prune_blocks(connection: Connection, now: datetime) -> int:
    """Drops blocks older than BLOCKS_KEPT and the oldest beyond MAX_BLOCKS; returns how many."""
    beyond = select(blocks.c.frozen).order_by(blocks.c.frozen.desc()).offset(MAX_BLOCKS).limit(1).scalar_subquery()
    old = (blocks.c.frozen < now - BLOCKS_KEPT, blocks.c.frozen <= beyond)
    return sum(connection.execute(delete(blocks).where(condition)).rowcount for condition in old)


def _freeze(connection: Connection, block: Block, namespace: str, call: str) -> Block:
    row = block_row(block, namespace, call)
    if insert_new(connection, blocks, row):
        return block
    [(before, *_)] = blocks_of(connection, [block.mark]).values()
    if not before.answered:
        return before
    connection.execute(update(blocks).where(blocks.c.mark == block.mark).values(row))
    if replace(before, answered=False) != block:
        publish(connection, [(NO_NAMESPACE, block.mark)])
    return block


def block_row(block: Block, namespace: str, call: str) -> dict[str, Any]:
    """The row of a block that ``call`` freezes now."""
    return {
        "mark": block.mark,
        "namespace": namespace,
        "call": call,
        **given_columns(block),
        "answered": block.answered,
        "frozen": datetime.now(UTC),
        "shared": next((id[:NAMESPACE_DIGITS] for id in memories_beside(block, namespace)), None),
    }


def memories_beside(block: Block, *namespaces: str) -> list[str]:
    """The ids of a block's memories that are of none of these namespaces: what a team shares."""
    own = tuple(namespace[:NAMESPACE_DIGITS] for namespace in namespaces)
    return [given.memory for given in block.given if not given.memory.startswith(own)]


def given_columns(block: Block) -> dict[str, Any]:
    """What a block's row says of its memories."""
    return {"text": block.text, "given": [_columns(given) for given in block.given]}


def _columns(given: Given) -> tuple[str, str, int, str]:
    # Not ``astuple``: it deep-copies, which takes longer than to render the block.
    return given.memory, given.text, given.tokens, given.heading


def blocks_of(c: Connection, marks: Sequence[str] | Select[tuple[str]]) -> dict[str, tuple[Block, str, datetime]]:
    """The blocks of these marks, each with the call that froze it, and when."""
    rows = c.execute(select(blocks).where(blocks.c.mark.in_(marks)))
    return {row.mark: (_block(row), row.call, aware(row.frozen)) for row in rows}


def _block(row: Any) -> Block:
    return Block(row.mark, row.text, tuple(Given(*given) for given in row.given), row.answered)


def put_blocks(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Writes these rows, in place of those with the same marks."""
    if rows:
        # A journal may be older than the column.
        whole = [{"shared": None, **row, "frozen": datetime.fromisoformat(row["frozen"])} for row in rows]
        upsert_all(connection, blocks, whole)


def settle_blocks(connection: Connection, marks: Sequence[str]) -> None:
    """Records that the messages with these marks were answered."""
    if marks:
        connection.execute(_SETTLE, [{"of": mark} for mark in marks])


def _overwrite(connection: Connection, fallback: Block, namespace: str, call: str) -> None:
    row = block_row(fallback, namespace, call)
    if not insert_new(connection, blocks, row):
        connection.execute(update(blocks).where(blocks.c.mark == fallback.mark, blocks.c.call == call).values(row))


def _settle(connection: Connection, mark: str) -> None:
    connection.execute(_SETTLE, {"of": mark})
