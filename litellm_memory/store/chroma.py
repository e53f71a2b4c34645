"""Chroma itself: ``Collections`` over a directory or a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from litellm_memory.errors import StoreError
from litellm_memory.store.collections import NO_ROWS, READ_SECONDS, WRITE_SECONDS, Metadata, Rows, Vectors

if TYPE_CHECKING:  # The import takes 1.3 s of processor time, and an embedded Chroma does without.
    from chromadb.api import AsyncClientAPI
    from chromadb.api.models.AsyncCollection import AsyncCollection

SYNC_THRESHOLD = 100
"""Writes after which Chroma persists its index and empties its log. Its default, 1,000, keeps deleted text for
longer."""
INDEX = {"hnsw": {"space": "cosine", "sync_threshold": SYNC_THRESHOLD}}
"""Chroma's default distance is l2; ours is cosine."""

UNUSED_IDS = tuple(f"nobody-{number}" for number in range(SYNC_THRESHOLD + 1))
"""Ids that no record has. Chroma logs their deletion like any other; this many reach ``sync_threshold``, so it persists
its index and empties the log. They leave nothing behind."""

READING = frozenset({"get", "query", "count", "get_collection", "list_collections"})
"""Methods that only read: they run on the threads for readers."""
COLLECTION = frozenset({"get_collection", "get_or_create_collection"})
"""Methods that return a collection, whose methods are called in threads too."""
READERS = 4
"""Threads that read from an embedded Chroma at the same time."""
NAMES_PAGE = 1000
"""Names of collections in one page."""

PANIC = "PanicException"
"""pyo3's type name for a Rust panic, which is a BaseException."""

T = TypeVar("T")


class ChromaCollections:
    """The collections of one Chroma client; ``close`` releases the client."""

    def __init__(self, client: AsyncClientAPI, close: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._close = close
        self._known: dict[str, AsyncCollection] = {}

    async def describe(self, name: str) -> Metadata | None:
        # The cache must not answer whether the collection still exists.
        self._known.pop(name, None)
        async with self._answering(READ_SECONDS):
            collection = await self._collection(name)
            return None if collection is None else dict(collection.metadata or {})

    async def create(self, name: str, metadata: Metadata) -> None:
        async with self._answering(WRITE_SECONDS):
            await self._client.get_or_create_collection(name, metadata=dict(metadata), embedding_function=None)

    async def names(self, prefix: str) -> list[str]:
        names: list[str] = []
        async with self._answering(WRITE_SECONDS):
            while True:
                found = await self._client.list_collections(limit=NAMES_PAGE, offset=len(names))
                names += [collection.name for collection in found]
                if len(found) < NAMES_PAGE:
                    return sorted(name for name in names if name.startswith(prefix))

    async def mark(self, name: str, metadata: Metadata) -> None:
        async with self._answering(WRITE_SECONDS):
            if collection := await self._collection(name):
                await collection.modify(metadata=dict(metadata))

    async def drop(self, name: str) -> None:
        async with self._answering(WRITE_SECONDS):
            if await self._collection(name):
                await self._client.delete_collection(name)
                del self._known[name]

    async def ids(self, name: str, where: Metadata | None, *, limit: int, offset: int) -> list[str]:
        async with self._answering(READ_SECONDS):
            collection = await self._collection(name)
            if collection is None:
                return []
            return (await collection.get(where=cast(Any, where), limit=limit, offset=offset, include=[]))["ids"]

    async def count(self, name: str) -> int:
        async with self._answering(READ_SECONDS):
            collection = await self._collection(name)
            return 0 if collection is None else await collection.count()

    async def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> Rows:
        async with self._answering(READ_SECONDS):
            collection = await self._collection(name)
            if collection is None:
                return NO_ROWS
            include = ["documents", "metadatas", *(["embeddings"] if vectors else [])]
            return _rows(cast(Any, await collection.get(ids=list(ids), include=cast(Any, include))))

    async def nearest(self, name: str, where: Metadata | None, vector: Vectors, *, limit: int) -> Rows:
        async with self._answering(READ_SECONDS):
            collection = await self._collection(name)
            if collection is None:
                return NO_ROWS
            found = await collection.query(
                query_embeddings=[cast(Any, vector)],
                n_results=limit,
                where=cast(Any, where),
                include=["documents", "metadatas", "embeddings"],
            )
        columns = ("ids", "documents", "metadatas", "embeddings")
        return _rows({column: cast(Any, found)[column][0] for column in columns})

    async def containing(self, name: str, where: Metadata | None, texts: Sequence[str], *, limit: int) -> Rows:
        each: list[dict[str, Any]] = [{"$contains": text} for text in texts]
        async with self._answering(READ_SECONDS):
            collection = await self._collection(name)
            if collection is None:
                return NO_ROWS
            found = await collection.get(
                where=cast(Any, where),
                where_document=cast(Any, {"$or": each} if len(each) > 1 else each[0]),
                limit=limit,
                include=["documents", "metadatas", "embeddings"],
            )
            return _rows(cast(Any, found))

    async def upsert(self, name: str, rows: Rows) -> None:
        async with self._answering(WRITE_SECONDS):
            if name not in self._known:
                self._known[name] = await self._client.get_or_create_collection(
                    name, embedding_function=None, configuration=cast(Any, INDEX)
                )
            await self._known[name].upsert(
                ids=rows.ids,
                embeddings=cast(Any, rows.vectors),
                documents=rows.documents,
                metadatas=cast(Any, rows.metadatas),
            )

    async def update(
        self,
        name: str,
        ids: Sequence[str],
        metadatas: Sequence[Metadata],
        *,
        documents: Sequence[str] | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        async with self._answering(WRITE_SECONDS):
            if collection := await self._collection(name):
                await collection.update(
                    ids=list(ids),
                    embeddings=cast(Any, vectors),
                    metadatas=cast(Any, list(metadatas)),
                    documents=None if documents is None else list(documents),
                )

    async def delete(self, name: str, ids: Sequence[str]) -> None:
        async with self._answering(WRITE_SECONDS):
            if collection := await self._collection(name):
                await collection.delete(ids=list(ids))

    async def scrub(self, prefix: str) -> None:
        for name in await self.names(prefix):
            await self.delete(name, UNUSED_IDS)

    async def aclose(self) -> None:
        await self._close()

    async def _collection(self, name: str) -> AsyncCollection | None:
        if name not in self._known:
            try:
                found = await self._client.get_collection(name, embedding_function=None)
            except raised("NotFoundError"):
                return None
            if found is None:
                return None
            self._known[name] = found
        return self._known[name]

    @asynccontextmanager
    async def _answering(self, seconds: float) -> AsyncIterator[None]:
        """Turns whatever Chroma raises inside, and a timeout, into StoreError."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise StoreError(
                f"Chroma did not answer within {seconds:g} s: see whether it or the disk is busy."
            ) from None
        except raised("NotFoundError"):
            self._known.clear()
            raise StoreError("A collection was deleted from Chroma while it was in use: restart the proxy.") from None
        except failures() as error:
            raise StoreError(_sentence(error)) from None


def raised(name: str, module: str = "chromadb.errors") -> tuple[type[Exception], ...]:
    """The class of error with this name, for an ``except``; none while its module is not loaded: nobody raised it."""
    loaded = getattr(sys.modules.get(module), name, None)
    return (loaded,) if loaded else ()


def failures() -> tuple[type[Exception], ...]:
    """What Chroma raises when it fails."""
    return (*raised("ChromaError"), *raised("HTTPError", "httpx"), ValueError, TypeError, OSError)


class Threaded:
    """A synchronous Chroma client or collection with awaitable methods: one thread writes, READERS threads read."""

    def __init__(self, chroma: object, readers: Executor, writer: Executor) -> None:
        self._chroma = chroma
        self._readers = readers
        self._writer = writer

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._chroma, name)
        return self._method(name, attribute) if callable(attribute) else attribute

    def _method(self, name: str, method: Callable[..., object]) -> Callable[..., Awaitable[object]]:
        executor = self._readers if name in READING else self._writer

        async def call(*arguments: object, **named: object) -> object:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(executor, lambda: panics_as_errors(lambda: method(*arguments, **named)))
            return Threaded(result, self._readers, self._writer) if result and name in COLLECTION else result

        return call


async def open_directory(directory: Path) -> ChromaCollections:
    """The collections in ``directory``, which this process must own. Raises StoreError when it is unreadable."""
    readers = ThreadPoolExecutor(READERS, "chroma-read")
    writer = ThreadPoolExecutor(1, "chroma-write")
    loop = asyncio.get_running_loop()
    try:
        client = await loop.run_in_executor(writer, lambda: panics_as_errors(lambda: client_of(directory)))
    except failures() as error:
        raise StoreError(f"{directory}: {_sentence(error)}") from None

    async def close() -> None:
        await loop.run_in_executor(writer, client.close)
        readers.shutdown()
        writer.shutdown()

    return ChromaCollections(cast(Any, Threaded(client, readers, writer)), close)


def client_of(directory: Path, *, direct: bool | None = None) -> Any:
    """A client of a directory; ``direct``: of its bindings, which is chosen where these are known."""
    from litellm_memory.store.bindings import VERSIONS, Directory

    if version("chromadb").startswith(VERSIONS) if direct is None else direct:
        return Directory(directory)
    persistent = {"is_persistent": True, "persist_directory": str(directory)}
    settings = _settings(chroma_api_impl="chromadb.api.rust.RustBindingsAPI", **persistent)
    return import_module("chromadb").Client(settings)


async def open_server(
    *, host: str, port: int, ssl: bool, headers: Mapping[str, str], tenant: str, database: str
) -> ChromaCollections:
    """The collections of a Chroma server or of Chroma Cloud. Raises StoreError when it cannot be reached."""
    chroma = await asyncio.to_thread(import_module, "chromadb")
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            client = await chroma.AsyncHttpClient(
                host=host,
                port=port,
                ssl=ssl,
                headers=dict(headers),
                # Chroma's asynchronous client does not verify certificates by default.
                settings=_settings(chroma_server_ssl_verify=True),
                tenant=tenant,
                database=database,
            )
    except TimeoutError:
        await _hang_up()
        raise StoreError(f"Chroma at {host}:{port} did not answer within {WRITE_SECONDS:g} s.") from None
    except failures() as error:
        await _hang_up()
        raise StoreError(
            f"Chroma at {host}:{port} cannot be used ({_sentence(error)}): see that it runs there and that "
            f"database '{database}' of tenant '{tenant}' exists."
        ) from None
    return ChromaCollections(client, _hang_up)


async def _hang_up() -> None:
    # Chroma keeps one HTTP client per event loop, for all servers, and has no public way to close it.
    from chromadb.api.async_fastapi import AsyncFastAPI

    if (http := AsyncFastAPI._clients.pop(hash(asyncio.get_running_loop()), None)) is not None:
        await http.aclose()


def panics_as_errors(call: Callable[[], T]) -> T:
    """What ``call`` returns; a panic in Chroma's Rust code, which is no Exception, becomes a StoreError.

    KeyboardInterrupt and SystemExit pass through.
    """
    try:
        return call()
    except BaseException as panic:  # A panic's type cannot be imported from any module.
        if type(panic).__name__ != PANIC:
            raise
        raise StoreError(
            f"Chroma gave up ({type(panic).__name__}): the directory may be damaged or of another Chroma version; "
            "restore it from a backup or install the Chroma that wrote it."
        ) from None


def _settings(**values: object) -> Any:
    """Chroma's settings from ``values``, ignoring any ``.env`` in the working directory."""
    from chromadb.config import Settings as ChromaSettings

    always = {"_env_file": None, "anonymized_telemetry": False, "allow_reset": False}
    return ChromaSettings(**cast(Any, {**always, **values}))


def _rows(found: Mapping[str, Any]) -> Rows:
    vectors = found["embeddings"]
    return Rows(
        ids=found["ids"],
        documents=found["documents"],
        metadatas=found["metadatas"],
        vectors=None if vectors is None or not len(vectors) else np.asarray(vectors, np.float32),
    )


def _sentence(error: Exception) -> str:
    """What went wrong; Chroma's message only where it cannot quote the text to be stored."""
    speaks = isinstance(error, (*raised("InternalError"), OSError))
    words = " ".join(str(error).split())[:200] if speaks else ""
    return f"Chroma failed: {type(error).__name__}{': ' if words else ''}{words}."
