"""Conversations whose history the provider keeps: the message that each answer belongs to, and the memories it
carries."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import answers, insert_new
from litellm_memory.ledger.blocks import BLOCKS_KEPT
from litellm_memory.models import Earlier


class Answers:
    """The answers in one ledger, by the id that the provider gave them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def earlier(self, answer: str, *, namespace: str) -> Earlier | None:
        """The state of the conversation that continues from the answer with this id; None for another namespace's."""
        # Read through the writer's queue, after the note of that answer: the next step of a tool loop follows at once.
        return await self._database.write(lambda c: _earlier(c, _digest(namespace, answer)))

    def keep(self, answer: str, earlier: Earlier, *, namespace: str) -> Future[None]:
        """A future that is done once the state of the conversation that continues from ``answer`` is durable."""
        return self._database.submit(lambda c: _keep(c, _digest(namespace, answer), earlier, namespace))


def prune_answers(connection: Connection, now: datetime) -> int:
    """Drops answers older than BLOCKS_KEPT, whose conversations nobody continues; returns how many."""
    return int(connection.execute(delete(answers).where(answers.c.at < now - BLOCKS_KEPT)).rowcount)


def _earlier(connection: Connection, answer: str) -> Earlier | None:
    row = connection.execute(select(answers).where(answers.c.answer == answer)).first()
    return Earlier(row.mark, tuple(row.carried)) if row else None


def _keep(connection: Connection, answer: str, earlier: Earlier, namespace: str) -> None:
    about = {"mark": earlier.mark, "carried": list(earlier.carried), "at": datetime.now(UTC)}
    insert_new(connection, answers, {"answer": answer, "namespace": namespace, **about})


def _digest(namespace: str, answer: str) -> str:
    """A hash of an answer's id and its namespace, short enough for a primary key: LiteLLM's ids have hundreds of
    characters."""
    return sha256(f"{namespace}:{answer}".encode("utf-8", "surrogatepass")).hexdigest()
