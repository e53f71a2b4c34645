"""Where a memory lies: its id, and the name of the collection that the id leads to."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

BUCKETS = 16
COLLECTIONS = "memories-"
"""What the names of all collections of memories begin with, whichever embedder made the vectors."""
NAMESPACE_DIGITS = 16
"""How many hex digits of its namespace an id begins with."""

Kind: TypeAlias = Literal["buckets", "per-namespace"]

_ID = re.compile(r"[0-9a-f]{40}")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def memory_id(namespace: str, *parts: str, key: bytes) -> str:
    """40 hex digits for the thing that ``parts`` name in ``namespace``: the same again for the same parts.

    They begin with the namespace's own first digits, so that the collection is known from the id alone; the other
    24 are a keyed hash, which nobody without ``key`` can guess.
    """
    named = b"".join(b"%d:%b" % (len(part), part) for part in (text.encode(errors="replace") for text in parts))
    digest = hmac.new(key, namespace.encode() + b":" + named, sha256).hexdigest()
    return namespace[:NAMESPACE_DIGITS] + digest[: 40 - NAMESPACE_DIGITS]


def is_memory_id(text: str) -> bool:
    """True for the shape that ``memory_id`` gives; ids from outside may be anything."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Layout:
    """How the memories of one embedder are spread over collections.

    ``buckets`` suits a Chroma of one's own, where each collection costs memory and file handles; ``per-namespace``
    suits Chroma Cloud, where collections are free and a filter is not.
    """

    kind: Kind
    embedder: str
    dimension: int

    @property
    def prefix(self) -> str:
        """What the names of all its collections begin with."""
        return f"{COLLECTIONS}{fit_for_a_name(self.embedder)}-{self.dimension}-"

    def collection(self, key: str) -> str:
        """The collection of a memory id or of a namespace."""
        if self.kind == "buckets":
            return f"{self.prefix}{int(key[:4], 16) % BUCKETS:02d}"
        return self.prefix + key[:NAMESPACE_DIGITS]

    def where(self, namespace: str) -> dict[str, str] | None:
        """The filter that finds a namespace in its collection; None where the collection is the namespace.

        Chroma takes longest for a filter that everything matches.
        """
        return {"ns": namespace} if self.kind == "buckets" else None


def fit_for_a_name(embedder: str) -> str:
    """``embedder`` in the letters that a Chroma name may have; a changed or long one ends in a hash of the original."""
    fitting = _UNFIT.sub("-", embedder)
    if fitting == embedder and len(fitting) <= 64:
        return fitting
    return f"{fitting[:55]}-{sha256(embedder.encode()).hexdigest()[:8]}"
