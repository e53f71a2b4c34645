"""Whether the files of an embedded Chroma belong together, looked at while no process has them open.

Chroma itself opens an emptied database as a new one, and answers wrongly from a cut index without an error.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

DATABASE = "chroma.sqlite3"
HEADER_BYTES = 100
LENGTH_BYTES = 4
PICKLE_END = b"."


def damage(directory: Path) -> str | None:
    """What is wrong with the files, in a few words; None when nothing is seen, or when there are none yet."""
    path = directory / DATABASE
    if not path.exists():
        return f"{DATABASE} is gone" if any(directory.glob("*/header.bin")) else None
    try:
        # An open connection that was never written through leaves no trace.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            written = [
                str(row[0])
                for row in database.execute(
                    "SELECT segments.id FROM segments JOIN max_seq_id ON max_seq_id.segment_id = segments.id"
                    " WHERE segments.scope = 'VECTOR'"
                )
            ]
    except sqlite3.DatabaseError as error:
        return f"{DATABASE}: {error}"
    return next((wrong for segment in written if (wrong := _damaged_index(directory / segment)) is not None), None)


def index_header(segment: Path) -> tuple[int, int] | None:
    """How many elements an index has, and the bytes of one; None when its header is not whole.

    The header is a 4-byte version, then 8-byte numbers: an offset, the elements that there is room for, those that
    there are, the bytes of one.
    """
    header = (segment / "header.bin").read_bytes()
    if len(header) != HEADER_BYTES:
        return None
    numbers = memoryview(header)[4:36].cast("Q")
    return numbers[2], numbers[3]


def _damaged_index(segment: Path) -> str | None:
    names = ("header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "index_metadata.pickle")
    missing = [name for name in names if not (segment / name).exists()]
    if missing:
        return f"{missing[0]} of an index is gone"
    header = index_header(segment)
    if header is None:
        return "header.bin of an index is cut"
    elements, size = header
    least = {"data_level0.bin": elements * size, "length.bin": elements * LENGTH_BYTES}
    cut = [name for name, size in least.items() if (segment / name).stat().st_size < size]
    if cut:
        return f"{cut[0]} of an index is cut"
    if not (segment / "index_metadata.pickle").read_bytes().endswith(PICKLE_END):
        return "index_metadata.pickle of an index is cut"
    return None
