"""An embedded Chroma through its Rust bindings alone.

Chroma's Python client only passes calls on to them, as ``chromadb.api.rust`` shows, but importing it takes 1.3 s of
processor time and 40 MB: it brings gRPC, OpenTelemetry, HTTP clients and all embedding functions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import chromadb_rust_bindings  # type: ignore[import-untyped]  # it ships no types
import numpy as np

VERSIONS: Final = ("1.5.",)
"""The versions of Chroma whose bindings these calls were tested with: they are not public."""
WHERE: Final = ("default_tenant", "default_database")
FILES_OF_INDEX: Final = 5


class Directory:
    """The methods of ``chromadb.Client`` that a directory needs. Raises what the bindings raise."""

    def __init__(self, directory: Path) -> None:
        self._bindings = chromadb_rust_bindings.Bindings(
            allow_reset=False,
            sqlite_db_config=chromadb_rust_bindings.SqliteDBConfig(
                hash_type=chromadb_rust_bindings.MigrationHash.MD5,
                migration_mode=chromadb_rust_bindings.MigrationMode.Apply,
                url=str(directory / "chroma.sqlite3"),
            ),
            persist_path=str(directory),
            hnsw_cache_size=_most_open_files() // FILES_OF_INDEX,
        )

    def get_or_create_collection(
        self, name: str, *, metadata: Mapping[str, Any] | None = None, configuration: Any = None, **_: object
    ) -> Records:
        # Chroma writes down which function embeds texts; ours come with their vectors.
        written = {**configuration, "spann": None, "embedding_function": {"type": "legacy"}} if configuration else None
        options = (json.dumps(written) if written else None, None, metadata, True, *WHERE)
        return Records(self._bindings, self._bindings.create_collection(name, *options))

    def get_collection(self, name: str, **_: object) -> Records | None:
        """The collection; None for one that does not exist."""
        # Not by name: the error for a missing one imports Chroma's Python.
        found = (one for one in self._bindings.list_collections(None, None, *WHERE) if one.name == name)
        return next((Records(self._bindings, one) for one in found), None)

    def list_collections(self, limit: int, offset: int) -> Sequence[Any]:
        return list(self._bindings.list_collections(limit, offset, *WHERE))

    def delete_collection(self, name: str) -> None:
        self._bindings.delete_collection(name, *WHERE)

    def close(self) -> None:
        del self._bindings


class Records:
    """The methods of Chroma's ``Collection`` that a directory needs."""

    def __init__(self, bindings: Any, collection: Any) -> None:
        self._bindings = bindings
        self._id = str(collection.id)
        self.metadata: Mapping[str, Any] | None = collection.metadata

    def count(self) -> int:
        return int(self._bindings.count(self._id, *WHERE))

    def get(
        self,
        *,
        include: Sequence[str],
        ids: Sequence[str] | None = None,
        where: Any = None,
        where_document: Any = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> dict[str, Any]:
        filters = (_json(where), limit, offset, _json(where_document))
        return _columns(self._bindings.get(self._id, ids, *filters, include, *WHERE))

    def query(self, *, query_embeddings: Any, n_results: int, where: Any, include: Sequence[str]) -> dict[str, Any]:
        vectors = [np.asarray(vector).tolist() for vector in query_embeddings]
        found = self._bindings.query(self._id, None, vectors, n_results, _json(where), None, include, *WHERE)
        return _columns(found)

    def upsert(self, *, ids: Any, embeddings: Any, documents: Any, metadatas: Any) -> None:
        self._bindings.upsert(self._id, ids, embeddings.tolist(), metadatas, documents, None, *WHERE)

    def update(self, *, ids: Any, embeddings: Any, documents: Any, metadatas: Any) -> None:
        vectors = None if embeddings is None else embeddings.tolist()
        self._bindings.update(self._id, ids, vectors, metadatas, documents, None, *WHERE)

    def delete(self, *, ids: Sequence[str]) -> None:
        self._bindings.delete(self._id, ids, None, None, None, *WHERE)

    def modify(self, *, metadata: Mapping[str, Any]) -> None:
        self._bindings.update_collection(self._id, None, metadata, None)


def _json(condition: Any) -> str | None:
    return json.dumps(condition) if condition else None


def _columns(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("ids", "documents", "metadatas", "embeddings")}


def _most_open_files() -> int:
    # Not on Windows, where no process owns a directory.
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
