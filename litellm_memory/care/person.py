"""All that is held on a person, as lines of JSON to hand over: memories from the store, everything else as it lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any, Final

import orjson

from litellm_memory.care.shown import MemoryOut
from litellm_memory.ledger import Ledger
from litellm_memory.ledger.blocks import given_columns, memories_beside
from litellm_memory.ledger.redaction import PLACES
from litellm_memory.memories import Memories
from litellm_memory.models import Block, Given, Memory
from litellm_memory.redact import Redactor

PIECE: Final = 10
"""Memories between which it is another request's turn."""
_CLEANED: Final = {place.table.name: place.cleaned for place in PLACES}
_NAMED: Final = {"waiting": "journal", "block": "blocks", "trace": "traces"}
"""Parts that are called otherwise than their tables."""


async def lines_on(
    ledger: Ledger, memories: Memories, partition: str, user: str | None, *, redactor: Redactor
) -> AsyncIterator[bytes]:
    """Lines of JSON, each with its ``part``, in batches: all on a user, or on all of a partition.

    Texts are redacted under today's rules. Raises StoreError and LedgerError.
    """
    # What was just said waits in the journal.
    await ledger.caught_up()
    users = {user} if user is not None else set(await ledger.erasures.users(partition))
    async for page in memories.pages(partition, user):
        users |= {memory.user for memory in page}
        for start in range(0, len(page), PIECE):
            yield await asyncio.to_thread(_memories, page[start : start + PIECE], redactor)
    async for rows in ledger.people.rows_on(partition, users, alone=user is None):
        yield await asyncio.to_thread(_rows, rows, redactor.text)


def _memories(page: Sequence[Memory], redactor: Redactor) -> bytes:
    shown = [MemoryOut.shown(memory, redactor).model_dump(mode="json") for memory in page]
    return _lines([{"part": "memory", **one} for one in shown])


def _rows(rows: Sequence[dict[str, Any]], clean: Callable[[str], str]) -> bytes:
    return _lines([_redacted(row, clean) for row in rows])


def _redacted(row: dict[str, Any], clean: Callable[[str], str]) -> dict[str, Any]:
    cleaned = _CLEANED.get(_NAMED.get(row["part"], row["part"]))
    own = _without_shared(row) if row.get("shared") else row
    return own if cleaned is None else {**own, **cleaned(SimpleNamespace(**own), clean)}


def _without_shared(row: dict[str, Any]) -> dict[str, Any]:
    """The row of a block without what a team shares: that is the team's, and the person may have left it."""
    block = Block(row["mark"], row["text"], tuple(Given(*given) for given in row["given"]))
    return {**row, **given_columns(block.without(memories_beside(block, row["namespace"]))), "shared": None}


def _lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
