"""A set that answers quickly that it does not hold a mark, so that a new message costs no look into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

INDEX_BITS: Final = 24
HASHES: Final = 3
"""A Bloom filter of 2 MiB: with a million marks, the most that a ledger keeps, it is wrong for one in 230."""


class Marks:
    """Marks that were added; ``in`` is True for all of them and, rarely, for another."""

    def __init__(self) -> None:
        self._bits = bytearray(2**INDEX_BITS // 8)

    def add(self, mark: str) -> None:
        """Adds a mark."""
        for index in _indexes(mark):
            self._bits[index >> 3] |= 1 << (index & 7)

    def update(self, marks: Iterable[str]) -> None:
        """Adds all of these."""
        for mark in marks:
            self.add(mark)

    def __contains__(self, mark: str) -> bool:
        return all(self._bits[index >> 3] & 1 << (index & 7) for index in _indexes(mark))


def _indexes(mark: str) -> Iterator[int]:
    size = INDEX_BITS // 8
    digest = blake2b(mark.encode("utf-8", "surrogatepass"), digest_size=size * HASHES).digest()
    return (int.from_bytes(digest[start : start + size], "big") for start in range(0, len(digest), size))
