"""Checks that Chroma's indexes find what they hold."""

from __future__ import annotations

import numpy as np

from litellm_memory.errors import StoreError
from litellm_memory.store.collections import Vectors
from litellm_memory.store.memories import Store

SAMPLE = 10
"""Memories per collection that are searched for, to see whether its index is intact."""


async def verify(store: Store) -> None:
    """Raises StoreError unless a few memories of each collection are found by their own vectors."""
    await store.health()
    for name in await store.collections.names(store.layout.prefix):
        ids = await store.collections.ids(name, None, limit=SAMPLE, offset=0)
        if not ids:  # Chroma refuses to be asked for nothing.
            continue
        rows = await store.collections.get(name, ids)
        vectors = [] if rows.vectors is None else [vector for vector in rows.vectors if vector.any()]
        found = [await _finds(store, name, vector) for vector in vectors]
        # An intact index may still miss one of many.
        if len(rows.ids) and (rows.vectors is None or found.count(False) > len(found) / 2):
            raise StoreError(
                f"The index of {name} does not find what it holds: stop the proxy and run "
                "`litellm-memory check --rebuild`, which makes it anew from the texts."
            )


async def _finds(store: Store, name: str, vector: Vectors) -> bool:
    rows = await store.collections.nearest(name, None, vector, limit=SAMPLE)
    return rows.vectors is not None and bool(np.isclose(rows.vectors, vector, atol=1e-3).all(axis=1).any())
