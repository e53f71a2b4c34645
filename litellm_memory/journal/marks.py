"""A set that answers quickly that it does not hold a mark, so that a new message costs no look into the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

INDEX_BITS: Final = 24
"""A Bloom filter of 2 MiB and three hashes: with a million marks, the most that a ledger keeps, it is wrong for one in
230."""
_MASK: Final = 2**INDEX_BITS - 1
_DIGITS: Final = 3 * INDEX_BITS // 4
"""Hex digits that make three indexes."""


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


def _indexes(mark: str) -> tuple[int, int, int]:
    try:
        # The marks of messages are hex digits of an HMAC: as good as any hash of them, and at no cost.
        digest = int(mark[:_DIGITS], 16)
    except ValueError:
        digest = int.from_bytes(blake2b(mark.encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).digest())
    return digest & _MASK, digest >> INDEX_BITS & _MASK, digest >> 2 * INDEX_BITS
