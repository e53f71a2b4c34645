"""How probably texts are worth remembering for weeks, and of what kind they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from litellm_memory.meaning.encoder import vectors
from litellm_memory.meaning.nets import MOST_CHARACTERS, kinds, valued

Kind: TypeAlias = Literal["instruction", "preference", "decision", "fact"]
KINDS: Final[tuple[Kind, ...]] = ("instruction", "preference", "decision")
STANDING, OF_KIND = 0.8, 0.6
"""Probability from which a statement is an instruction, which stands beside every request, and from which it is of
another kind, or about the person; else it is a fact of the project."""


def worth(texts: Iterable[str]) -> dict[str, float]:
    """The probability of each text, in simplified characters, as the net of facts reads it; they are read together."""
    wanted = [*dict.fromkeys(texts)]
    return dict(zip(wanted, valued([text[:MOST_CHARACTERS] for text in wanted])[:, 0].tolist(), strict=True))


def kinds_of(texts: Sequence[str]) -> list[tuple[Kind, bool]]:
    """The kind of each statement, in simplified characters, and whether it is about the person."""
    if not texts:
        return []
    told = kinds().probabilities(vectors([text[:MOST_CHARACTERS] for text in texts]))
    likeliest = told[:, : len(KINDS)].argmax(axis=1)
    return [
        (KINDS[best] if row[best] >= (OF_KIND if best else STANDING) else "fact", bool(row[-1] >= OF_KIND))
        for best, row in zip(likeliest, told, strict=True)
    ]
