"""The interface below the store: a few calls on named Chroma collections, served by the owner process or over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

READ_SECONDS = 2.0
"""Timeout of a read: a request waits for it."""
WRITE_SECONDS = 30.0
"""Timeout of a write: these run in the background."""
SCRUB_SECONDS = 600.0
"""Timeout of a scrub, which rewrites every file of a directory."""

Vectors: TypeAlias = NDArray[np.float32]
Metadata: TypeAlias = Mapping[str, str | int | float | bool | None]
"""Metadata of a record or a collection. None removes a key: Chroma merges new metadata into the old."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Records of one collection as columns, the shape in which Chroma takes and returns them."""

    ids: list[str]
    documents: list[str]
    metadatas: list[Metadata]
    vectors: Vectors | None
    """One row per record; None when vectors were not requested."""


NO_ROWS = Rows([], [], [], None)


class Collections(Protocol):
    """What the store needs from Chroma. Every call has a timeout and raises StoreError; a missing collection counts as
    empty."""

    async def describe(self, name: str) -> Metadata | None:
        """The metadata of the collection; None when it does not exist."""

    async def create(self, name: str, metadata: Metadata) -> None:
        """Creates the collection; an existing one keeps its metadata."""

    async def names(self, prefix: str) -> list[str]:
        """The names of all collections that start with ``prefix``, sorted."""

    async def mark(self, name: str, metadata: Metadata) -> None:
        """Replaces the metadata of an existing collection."""

    async def drop(self, name: str) -> None:
        """Deletes the collection with its records; idempotent."""

    async def ids(self, name: str, where: Metadata | None, *, limit: int, offset: int) -> list[str]:
        """The ids of records whose metadata equal ``where``, in insertion order: ``limit`` of them after ``offset``."""

    async def count(self, name: str) -> int:
        """How many records the collection holds."""

    async def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> Rows:
        """The records with these ids, in no order; missing ones are omitted."""

    async def nearest(self, name: str, where: Metadata | None, vector: Vectors, *, limit: int) -> Rows:
        """The records nearest to ``vector`` by cosine, nearest first."""

    async def containing(self, name: str, where: Metadata | None, texts: Sequence[str], *, limit: int) -> Rows:
        """At most ``limit`` records whose document contains one of these texts."""

    async def upsert(self, name: str, rows: Rows) -> None:
        """Inserts or replaces the records in one transaction; creates the collection when it is missing."""

    async def update(
        self,
        name: str,
        ids: Sequence[str],
        metadatas: Sequence[Metadata],
        *,
        documents: Sequence[str] | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        """Merges metadata into these records, and replaces their texts and vectors when given.

        Never creates a record: checking and writing are atomic, so a concurrent deletion is not undone.
        """

    async def delete(self, name: str, ids: Sequence[str]) -> None:
        """Deletes these records; idempotent."""

    async def scrub(self, prefix: str) -> None:
        """Removes deleted records of the collections that start with ``prefix`` from Chroma's log and index.

        The files of an embedded Chroma are vacuumed too; vacuuming a server's is up to its operator.
        """

    async def aclose(self) -> None:
        """Closes connections and threads."""
