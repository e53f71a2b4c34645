"""Which memory holds a text, so that two workers that learn the same words keep one memory."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from litellm_memory.database.database import Database
from litellm_memory.database.tables import insert_new, texts


class Texts:
    """Claims of memories on texts. A text is stored as a keyed hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, text: str, memory: str, *, namespace: str) -> str:
        """The id of the memory that holds this text: the first that claimed it, ``memory`` if none did."""
        return await self._database.write(lambda c: _claim(c, text, memory, namespace))

    async def move(self, text: str, memory: str, *, namespace: str) -> None:
        """Moves ``memory``'s claim to this text, unless another memory holds it; returns once that is durable."""
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
