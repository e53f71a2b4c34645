"""The memories of all scopes: the one place that writes them to the store and RAM and notifies other workers."""

from __future__ import annotations

from litellm_memory.memories.kept import Count, Memories

__all__ = ["Count", "Memories"]
