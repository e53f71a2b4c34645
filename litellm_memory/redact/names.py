"""Names of users, projects and sessions without secrets: they are kept, listed and shown as they are."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from litellm_memory.models import readable_id
from litellm_memory.redact.rules import redact


@lru_cache(4096)
def safe_id(value: str) -> str | None:
    """``readable_id(value)``; a keyless hash in place of one that holds a secret, the same in every door."""
    name = readable_id(value)
    return name if name is None or redact(name) == name else hidden(name)


def hidden(name: str) -> str:
    """What stands for a name that is not kept."""
    return f"hidden-{sha256(name.encode(errors='replace')).hexdigest()[:12]}"
