"""Deletions that span several tables, in the caller's transaction: forgotten memories, and rows that are too old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from litellm_memory.database.days import delete_old_calls
from litellm_memory.ledger.answers import prune_answers
from litellm_memory.ledger.blocks import cut_out, prune_blocks
from litellm_memory.ledger.changes import NO_NAMESPACE, publish
from litellm_memory.ledger.erasures import note_forgotten
from litellm_memory.ledger.figures import count_forgotten, prune_figures
from litellm_memory.ledger.journal import prune_learned
from litellm_memory.ledger.listing import unlist
from litellm_memory.ledger.texts import release
from litellm_memory.people.proposals import drop_proposals


def forget(connection: Connection, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Removes these (namespace, memory id) pairs from blocks and claims; returns the marks of the changed blocks."""
    memories = {memory for _, memory in pairs}
    release(connection, memories)
    cut = cut_out(connection, memories, {namespace for namespace, _ in pairs})
    publish(connection, [*pairs, *((NO_NAMESPACE, mark) for mark in cut)])
    note_forgotten(connection, pairs)
    return cut


def deleted(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Removes these (namespace, memory id) pairs from lists, and claims that were made during their deletion."""
    memories = {memory for _, memory in pairs}
    release(connection, memories)
    drop_proposals(connection, memories)
    count_forgotten(connection, unlist(connection, memories), datetime.now(UTC))
    publish(connection, pairs)


def prune(connection: Connection, now: datetime, *, calls_kept: timedelta) -> int:
    """Drops old blocks, answers, marks and calls, and the counters of hosts that are gone; returns how many rows."""
    prunes = (prune_blocks, prune_answers, prune_learned, prune_figures)
    return sum([prune(connection, now) for prune in prunes]) + delete_old_calls(connection, now - calls_kept)
