"""The seam below the store: a few calls on named Chroma collections, made by the owner process or over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

READ_SECONDS = 2.0
WRITE_SECONDS = 30.0
SCRUB_SECONDS = 600.0
"""Scrubbing writes every file of a directory anew."""

Vectors: TypeAlias = NDArray[np.float32]
Metadata: TypeAlias = Mapping[str, str | int | float | bool | None]
"""Metadata of a record or a collection. None takes a key away: Chroma merges what is written into what was there."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Records of one collection by columns, as Chroma takes and gives them."""

    ids: list[str]
    documents: list[str]
    metadatas: list[Metadata]
    vectors: Vectors | None
    """One line a record; None when they were not asked for."""


NO_ROWS = Rows([], [], [], None)


class Collections(Protocol):
    """What the store asks of Chroma. Every call has a deadline and raises StoreError; a missing collection is empty."""

    async def describe(self, name: str) -> Metadata | None:
        """The metadata of the collection, or None when there is no such collection."""

    async def create(self, name: str, metadata: Metadata) -> None:
        """Make the collection; one that is there already keeps its own metadata."""

    async def names(self, prefix: str) -> list[str]:
        """The names of all collections that begin with ``prefix``, sorted."""

    async def mark(self, name: str, metadata: Metadata) -> None:
        """Give a collection that is there this metadata, in place of its own."""

    async def drop(self, name: str) -> None:
        """Remove the collection and all that is in it; a missing one is passed over."""

    async def ids(self, name: str, where: Metadata | None, *, limit: int, offset: int) -> list[str]:
        """The ids of records whose metadata equal ``where``, as they were written: ``limit`` after ``offset``."""

    async def count(self, name: str) -> int:
        """How many records the collection holds."""

    async def get(self, name: str, ids: Sequence[str], *, vectors: bool = True) -> Rows:
        """The records with these ids, in no order; missing ones are left out."""

    async def nearest(self, name: str, where: Metadata | None, vector: Vectors, *, limit: int) -> Rows:
        """The records nearest to ``vector`` by cosine, nearest first."""

    async def containing(self, name: str, where: Metadata | None, texts: Sequence[str], *, limit: int) -> Rows:
        """At most ``limit`` records whose document has one of these texts in it."""

    async def upsert(self, name: str, rows: Rows) -> None:
        """Insert or replace the records, in one transaction; makes the collection when it is missing."""

    async def update(
        self,
        name: str,
        ids: Sequence[str],
        metadatas: Sequence[Metadata],
        *,
        documents: Sequence[str] | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        """Merge the metadata into these records and replace their texts and vectors when given.

        Missing records stay missing, in one step with the write: a deletion at the same instant is never undone.
        """

    async def delete(self, name: str, ids: Sequence[str]) -> None:
        """Delete these records; missing ones are passed over."""

    async def scrub(self, prefix: str) -> None:
        """Take what was deleted from the collections that begin with ``prefix`` out of Chroma's log and index.

        The files of a directory are written anew as well; those of a server are its operator's.
        """

    async def aclose(self) -> None:
        """Let go of connections and threads."""
