"""Everything assembled once from Settings, and what runs in the background: opening, following, housekeeping."""

from litellm_memory.engine.engine import Engine
from litellm_memory.engine.health import Health
from litellm_memory.request.outcome import Outcome
from litellm_memory.request.request import Request

__all__ = ["Engine", "Health", "Outcome", "Request"]
