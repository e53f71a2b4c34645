"""Conversations whose history the provider keeps: the message that each answer belongs to, and the memories it
carries."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import answers, insert_all_new
from litellm_memory.ledger.blocks import BLOCKS_KEPT
from litellm_memory.models import Earlier


class Answers:
    """The answers in one ledger, by the id that the provider gave them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def earlier(self, answer: str, *, namespace: str) -> Earlier | None:
        """The state of the conversation that continues from the answer with this id; None for another namespace's."""
        # Read through the writer's queue, after the note of that answer: the next step of a tool loop follows at once.
        return await self._database.write(lambda c: _earlier(c, answer_digest(namespace, answer)))

    def keep(self, answer: str, earlier: Earlier, *, namespace: str) -> Future[None]:
        """A future that is done once the state of the conversation that continues from ``answer`` is durable."""
        row = answer_row(answer, earlier, namespace)
        return self._database.submit(lambda c: insert_all_new(c, answers, [row]))


def prune_answers(connection: Connection, now: datetime) -> int:
    """Drops answers older than BLOCKS_KEPT, whose conversations nobody continues; returns how many."""
    return int(connection.execute(delete(answers).where(answers.c.at < now - BLOCKS_KEPT)).rowcount)


def _earlier(connection: Connection, answer: str) -> Earlier | None:
    row = connection.execute(select(answers).where(answers.c.answer == answer)).first()
    return Earlier(row.mark, tuple(row.carried)) if row else None


def answer_row(answer: str, earlier: Earlier, namespace: str) -> dict[str, Any]:
    """The row of an answer whose conversation the provider keeps."""
    about = {"mark": earlier.mark, "carried": list(earlier.carried), "at": datetime.now(UTC)}
    return {"answer": answer_digest(namespace, answer), "namespace": namespace, **about}


def keep_answers(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts those of these rows that are new."""
    insert_all_new(connection, answers, [{**row, "at": datetime.fromisoformat(row["at"])} for row in rows])


def answer_digest(namespace: str, answer: str) -> str:
    """A hash of an answer's id and its namespace, short enough for a primary key, as LiteLLM's ids are not."""
    return sha256(f"{namespace}:{answer}".encode("utf-8", "surrogatepass")).hexdigest()
