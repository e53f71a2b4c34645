"""LiteLLM's calls translated to engine calls, behind the one guard of the package: memory never breaks a request."""

from __future__ import annotations

from litellm_memory.hooks.handler import MemoryHandler
from litellm_memory.hooks.startup import build_handler

__all__ = ["MemoryHandler", "build_handler"]
