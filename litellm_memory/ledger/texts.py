"""Which memory holds a text, so that two workers that learn the same words keep one memory."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import insert_new, texts


class Texts:
    """The claims of memories on texts. A text is a keyed hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, text: str, memory: str, *, namespace: str) -> str:
        """The id of the memory that holds this text: ``memory``, or the one that claimed it first."""
        return await self._database.write(lambda c: _claim(c, text, memory, namespace))

    async def move(self, text: str, memory: str, *, namespace: str) -> None:
        """Returns once ``memory`` holds this text unless another does, and no other text any more."""
        await self._database.write(lambda c: _move(c, text, memory, namespace))


def release(connection: Connection, memories: Collection[str]) -> None:
    """Drops the claims of these memories."""
    connection.execute(delete(texts).where(texts.c.memory.in_(memories)))


def _claim(connection: Connection, text: str, memory: str, namespace: str) -> str:
    if insert_new(connection, texts, {"text": text, "memory": memory, "namespace": namespace}):
        return memory
    return str(connection.scalar(select(texts.c.memory).where(texts.c.text == text)))


def _move(connection: Connection, text: str, memory: str, namespace: str) -> None:
    release(connection, [memory])
    _claim(connection, text, memory, namespace)
