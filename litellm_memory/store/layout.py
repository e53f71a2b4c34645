"""Which collection holds a memory, as its id determines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

from litellm_memory.models import NAMESPACE_DIGITS

BUCKETS = 16
"""Collections over which the namespaces of an embedded Chroma are spread."""
COLLECTIONS = "memories-"
"""The prefix of all collections of memories, whichever embedder made the vectors."""

Kind: TypeAlias = Literal["buckets", "per-namespace"]

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
"""Characters that a Chroma name may not contain."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the memories of one embedder are spread over collections.

    ``buckets`` suits an embedded Chroma or a server, where each collection costs memory and file handles;
    ``per-namespace`` suits Chroma Cloud, where collections are free and filters are billed.
    """

    kind: Kind
    embedder: str
    dimension: int

    @property
    def prefix(self) -> str:
        """The prefix of the names of all its collections."""
        return f"{COLLECTIONS}{fit_for_a_name(self.embedder)}-{self.dimension}-"

    def collection(self, key: str) -> str:
        """The collection for a memory id or a namespace."""
        if self.kind == "buckets":
            return f"{self.prefix}{int(key[:4], 16) % BUCKETS:02d}"
        return self.prefix + key[:NAMESPACE_DIGITS]

    def where(self, namespace: str) -> dict[str, str] | None:
        """The filter that selects a namespace in its collection; None where the collection holds nothing else.

        A filter that matches everything is the slowest one for Chroma.
        """
        return {"ns": namespace} if self.kind == "buckets" else None


def fit_for_a_name(embedder: str) -> str:
    """``embedder`` in characters that a Chroma name may have; a changed or long name ends in a hash of the original."""
    fitting = _UNFIT.sub("-", embedder)
    if fitting == embedder and len(fitting) <= 64:
        return fitting
    return f"{fitting[:55]}-{sha256(embedder.encode()).hexdigest()[:8]}"
