"""What an embedder is to the rest of memory, and what of a text it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from litellm_memory.text.cues import passages

Floats = NDArray[np.float32]

RECIPE = "passages"
"""What a memory's vector is made of, by name: it ends the identity of every embedder. Vectors of whole texts, made by
the same model, had no such end, and are another embedder's."""


class Embedder(Protocol):
    """A model that turns texts into unit vectors. Vectors of two identities are never compared.

    Whatever goes wrong is a ModelCallError: each embedder translates what the foreign code below it raises.
    """

    @property
    def identity(self) -> str:
        """The model, its quantisation or length where that is chosen, and the recipe. Raises ModelCallError."""

    async def query(self, text: str) -> Floats | None:
        """The vector of what is searched for; None where words have to do. Raises ModelCallError."""

    async def documents(self, texts: Sequence[str]) -> Sequence[Floats | None]:
        """One vector per text to be found; None for one that the model refuses. Raises ModelCallError."""

    def close(self) -> None:
        """Lets go of threads and calls under way."""


async def memory_vectors(embedder: Embedder, texts: Sequence[str]) -> list[Floats | None]:
    """A vector for the text of each memory, of its passages; None where the model refuses all of them."""
    parts = [passages(text) for text in texts]
    vectors = iter(await embedder.documents([part for passages_ in parts for part in passages_]))
    blended: list[Floats | None] = []
    for own in ([next(vectors) for _ in passages_] for passages_ in parts):
        known = [vector for vector in own if vector is not None]
        blended.append(blend(known) if known else None)
    return blended


def blend(vectors: Sequence[Floats]) -> Floats:
    """One unit vector for a text's passages: half what it states as a whole, half its sentences."""
    whole, *sentences = vectors
    blended = whole + _unit(np.sum(sentences, axis=0)) if sentences else whole
    return _unit(blended)


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(np.float32(np.linalg.norm(vector)), np.float32(1e-12))
    return unit
