"""Checks that the files of an embedded Chroma are consistent, while no process has them open.

Chroma itself opens an emptied database as a new one, and returns wrong results or crashes on a truncated index. A
process that is killed while Chroma writes its index leaves a truncated one in about 1 % of cases.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litellm_memory.errors import StoreError

DATABASE = "chroma.sqlite3"
HEADER_BYTES = 100
"""Size of an index's header."""
LENGTH_BYTES = 4
"""Bytes per element in ``length.bin``."""
PICKLE_END = b"."
"""The last byte of a complete pickle."""
FILES = ("header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "index_metadata.pickle")
"""The files of one index; all must be there."""


@dataclass(frozen=True, slots=True)
class DamagedIndex:
    """The damaged index of one collection: the directory of its files, and what is wrong with them."""

    collection: str
    dimension: int
    directory: Path
    wrong: str


@dataclass(frozen=True, slots=True)
class Header:
    """An index's header: the number of elements, the bytes of one, and the bytes of its links."""

    elements: int
    element_bytes: int
    link_bytes: int


def damaged_indexes(directory: Path) -> list[DamagedIndex]:
    """The indexes that cannot be used. Raises StoreError when the database, which holds the texts, cannot be used."""
    path = directory / DATABASE
    if not path.exists():
        if any(directory.glob("*/header.bin")):
            raise StoreError(_sentence(directory, f"{DATABASE} is gone"))
        return []
    try:
        # Opened read-write: a killed process may leave a transaction behind, which is rolled back here.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as database:
            written = database.execute(
                "SELECT collections.name, collections.dimension, segments.id FROM segments"
                " JOIN max_seq_id ON max_seq_id.segment_id = segments.id"
                " JOIN collections ON collections.id = segments.collection WHERE segments.scope = 'VECTOR'"
            ).fetchall()
    except sqlite3.DatabaseError as error:
        raise StoreError(_sentence(directory, f"{DATABASE}: {error}")) from None
    found = ((name, dimension, directory / segment) for name, dimension, segment in written)
    return [
        DamagedIndex(name, dimension, segment, wrong)
        for name, dimension, segment in found
        if (wrong := _wrong_with(segment)) is not None
    ]


def header_of(segment: Path) -> Header | None:
    """The header of an index; None when it is incomplete.

    The layout is a 4-byte version, then 8-byte numbers: an offset, the capacity in elements, the number of elements,
    the bytes of one, and the offsets of the label and the vector in it. The links precede the vector.
    """
    header = (segment / "header.bin").read_bytes()
    if len(header) != HEADER_BYTES:
        return None
    _, _, elements, element_bytes, _, link_bytes = memoryview(header)[4:52].cast("Q")
    return Header(elements, element_bytes, link_bytes)


def _wrong_with(segment: Path) -> str | None:
    for name in FILES:
        if not (segment / name).exists():
            return f"{name} is gone"
    header = header_of(segment)
    if header is None:
        return "header.bin is cut"
    least = {"data_level0.bin": header.elements * header.element_bytes, "length.bin": header.elements * LENGTH_BYTES}
    for name, size in least.items():
        if (segment / name).stat().st_size < size:
            return f"{name} is cut"
    if not (segment / "index_metadata.pickle").read_bytes().endswith(PICKLE_END):
        return "index_metadata.pickle is cut"
    return "a link leads nowhere" if _has_dangling_link(segment / "data_level0.bin", header) else None


def _has_dangling_link(path: Path, header: Header) -> bool:
    """True when an element links to a neighbour that does not exist."""
    if not header.elements:
        return False
    data = np.memmap(path, np.uint8, "r", shape=(header.elements, header.element_bytes))
    links = np.ascontiguousarray(data[:, : header.link_bytes]).view("<u4")
    # The lower half of the first number is the count of links that follow.
    named = np.arange(links.shape[1] - 1) < (links[:, :1] & 0xFFFF)
    return bool((links[:, 1:][named] >= header.elements).any())


def _sentence(directory: Path, wrong: str) -> str:
    return (
        f"The memory store in {directory} is damaged ({wrong}): restore a backup, or stop the proxy and run "
        "`litellm-memory check --rebuild`, which makes the store anew from the texts that can be read."
    )
