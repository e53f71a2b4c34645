"""Where a memory lies: its id, and the name of the collection that the id leads to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

from litellm_memory.models import NAMESPACE_DIGITS

BUCKETS = 16
COLLECTIONS = "memories-"
"""What the names of all collections of memories begin with, whichever embedder made the vectors."""

Kind: TypeAlias = Literal["buckets", "per-namespace"]

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


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
