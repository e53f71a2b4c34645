"""The partition: what the verified key binds memory to. Nothing here depends on what a client writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from litellm_memory.models import LAYER, Caller

Binding: TypeAlias = Literal["user", "team", "key"]

MASTER_PARTITION: Final = "default"
_DERIVED: Final = re.compile(rf"({re.escape(LAYER)})?[0-9a-f]{{32}}")

_FALLBACKS: Final[Mapping[Binding, tuple[Binding, ...]]] = {
    "user": ("user", "key"),
    "team": ("team", "user", "key"),
    "key": ("key",),
}


def partition_of(caller: Caller, binding: Binding) -> str | None:
    """32 hex digits from what ``binding`` finds in the key; ``default`` only for the master key; else None."""
    # LiteLLM gives the master key a made-up user id, so it is checked first, by LiteLLM's marker.
    if caller.master:
        return MASTER_PARTITION
    kind = bound_by(caller, binding)
    return None if kind is None else sha256(f"{kind}:{getattr(caller, kind)}".encode()).hexdigest()[:32]


def is_partition(text: str) -> bool:
    """True when ``text`` has the form of what ``partition_of`` derives from a key, or ``layer_partition``."""
    return _DERIVED.fullmatch(text) is not None


def bound_by(caller: Caller, binding: Binding) -> Binding | None:
    """What the partition of ``caller`` is derived from: ``binding``, or the first of its fallbacks that the key has."""
    if caller.master:
        return None
    return next((kind for kind in _FALLBACKS[binding] if getattr(caller, kind)), None)
