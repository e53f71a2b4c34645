"""The worker's side of the embedded mode: collections over the owner's socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from litellm_memory.errors import StoreError
from litellm_memory.files.address import log_path, scrub_path
from litellm_memory.store.collections import READ_SECONDS, SCRUB_SECONDS, WRITE_SECONDS, Metadata, Rows, Vectors
from litellm_memory.store.link import IDLE_SECONDS, OPEN_SECONDS, START_SECONDS, Link


class OwnerCollections:
    """The collections of ``data_dir`` through its owner process, which is started when there is none."""

    def __init__(
        self, data_dir: Path, *, open_seconds: float = OPEN_SECONDS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._link = Link(data_dir, open_seconds=open_seconds, idle_seconds=idle_seconds)

    async def describe(self, name: str) -> Metadata | None:
        return cast(Metadata | None, await self._link.ask_again(READ_SECONDS, "describe", name))

    async def create(self, name: str, metadata: Metadata) -> None:
        await self._link.ask_again(WRITE_SECONDS, "create", name, metadata)

    async def names(self, prefix: str) -> list[str]:
        return cast(list[str], await self._link.ask_again(READ_SECONDS, "names", prefix))

    async def mark(self, name: str, metadata: Metadata) -> None:
        await self._link.ask_again(WRITE_SECONDS, "mark", name, metadata)

    async def drop(self, name: str) -> None:
        await self._link.ask_again(WRITE_SECONDS, "drop", name)

    async def ids(self, name: str, where: Metadata | None, *, limit: int, offset: int) -> list[str]:
        return cast(list[str], await self._link.ask_again(READ_SECONDS, "ids", name, where, limit=limit, offset=offset))

    async def count(self, name: str) -> int:
        return cast(int, await self._link.ask_again(READ_SECONDS, "count", name))

    async def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> Rows:
        return cast(Rows, await self._link.ask_again(READ_SECONDS, "get", name, ids, vectors=vectors))

    async def nearest(self, name: str, where: Metadata | None, vector: Vectors, *, limit: int) -> Rows:
        return cast(Rows, await self._link.ask_again(READ_SECONDS, "nearest", name, where, vector, limit=limit))

    async def containing(self, name: str, where: Metadata | None, texts: Sequence[str], *, limit: int) -> Rows:
        return cast(Rows, await self._link.ask_again(READ_SECONDS, "containing", name, where, texts, limit=limit))

    async def upsert(self, name: str, rows: Rows) -> None:
        await self._link.ask_again(WRITE_SECONDS, "upsert", name, rows)

    async def update(
        self,
        name: str,
        ids: Sequence[str],
        metadatas: Sequence[Metadata],
        *,
        documents: Sequence[str] | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        await self._link.ask_again(WRITE_SECONDS, "update", name, ids, metadatas, documents=documents, vectors=vectors)

    async def delete(self, name: str, ids: Sequence[str]) -> None:
        await self._link.ask_again(WRITE_SECONDS, "delete", name, ids)

    async def scrub(self, prefix: str) -> None:
        connection = await self._link.connected()
        await connection.ask(SCRUB_SECONDS, "scrub", prefix)
        await connection.ended()
        deadline = asyncio.get_running_loop().time() + SCRUB_SECONDS
        while True:
            try:
                # The next owner answers this, after it has vacuumed the files.
                await self.names(prefix)
                break
            except StoreError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(START_SECONDS)
        if scrub_path(self._data_dir).exists():
            raise StoreError(
                f"{self._data_dir / 'chroma'} cannot be written anew: see its permissions and the free space; "
                f"{log_path(self._data_dir)} says more."
            )

    async def aclose(self) -> None:
        await self._link.aclose()
