"""The memories of all scopes: written to the store, to RAM and to the other workers' notice in one place."""

from __future__ import annotations

from litellm_memory.memories.kept import Count, Memories

__all__ = ["Count", "Memories"]
