"""The interface of an embedder, and the parts of a text that it embeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from litellm_memory.text.cues import passages

Floats = NDArray[np.float32]

RECIPE = "passages"
"""How a memory's vector is made from its text. It is part of every embedder's identity: older vectors, of whole texts,
have no such suffix and count as another embedder's."""


class Embedder(Protocol):
    """A model that turns texts into unit vectors; vectors of two identities are never compared.

    Every failure is a ModelCallError: each embedder translates the exceptions of the foreign code below it.
    """

    @property
    def identity(self) -> str:
        """The model, its quantisation or length if chosen, and the recipe. Raises ModelCallError."""

    async def query(self, text: str) -> Floats | None:
        """The vector of a query; None where only words can be searched. Raises ModelCallError."""

    async def documents(self, texts: Sequence[str]) -> Sequence[Floats | None]:
        """One vector per text; None for one that the model rejects. Raises ModelCallError."""

    def close(self) -> None:
        """Stops threads and calls in flight."""


async def memory_vectors(embedder: Embedder, texts: Sequence[str]) -> list[Floats | None]:
    """A vector for the text of each memory, from its passages; None where the model rejects all of them."""
    parts = [passages(text) for text in texts]
    vectors = iter(await embedder.documents([part for passages_ in parts for part in passages_]))
    blended: list[Floats | None] = []
    for own in ([next(vectors) for _ in passages_] for passages_ in parts):
        known = [vector for vector in own if vector is not None]
        blended.append(blend(known) if known else None)
    return blended


def blend(vectors: Sequence[Floats]) -> Floats:
    """One unit vector from a text's passages: half the whole text, half the mean of its sentences."""
    whole, *sentences = vectors
    blended = whole + _unit(np.sum(sentences, axis=0)) if sentences else whole
    return _unit(blended)


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(np.float32(np.linalg.norm(vector)), np.float32(1e-12))
    return unit
