"""What leaves several tables at once, in the caller's transaction: memories that are forgotten, and what is too old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from litellm_memory.ledger.answers import prune_answers
from litellm_memory.ledger.blocks import cut_out, prune_blocks
from litellm_memory.ledger.changes import NO_NAMESPACE, publish
from litellm_memory.ledger.days import let_go
from litellm_memory.ledger.erasures import note_forgotten
from litellm_memory.ledger.figures import prune_figures
from litellm_memory.ledger.listing import unlist
from litellm_memory.ledger.texts import release


def forget(connection: Connection, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The marks of the blocks that one of these (namespace, memory id) pairs was cut out of."""
    memories = {memory for _, memory in pairs}
    release(connection, memories)
    cut = cut_out(connection, memories, {namespace for namespace, _ in pairs})
    publish(connection, [*pairs, *((NO_NAMESPACE, mark) for mark in cut)])
    note_forgotten(connection, pairs)
    return cut


def deleted(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Takes these (namespace, memory id) pairs out of lists, and releases what they claimed while being deleted."""
    memories = {memory for _, memory in pairs}
    release(connection, memories)
    unlist(connection, memories)
    publish(connection, pairs)


def prune(connection: Connection, now: datetime, *, calls_kept: timedelta) -> int:
    """How many rows were dropped: blocks and answers nobody goes on with, old calls, and figures of hosts long gone."""
    dropped = prune_blocks(connection, now) + prune_answers(connection, now) + prune_figures(connection, now)
    return dropped + let_go(connection, now - calls_kept)
