"""How probably texts are worth remembering for weeks."""

from __future__ import annotations

from collections.abc import Iterable

from litellm_memory.meaning.nets import MOST_CHARACTERS, valued


def worth(texts: Iterable[str]) -> dict[str, float]:
    """The probability of each text, in simplified characters, as the net of facts reads it; they are read together."""
    wanted = [*dict.fromkeys(texts)]
    return dict(zip(wanted, valued([text[:MOST_CHARACTERS] for text in wanted])[:, 0].tolist(), strict=True))
