"""Everything assembled once from Settings, and the background work: opening, following other workers, housekeeping."""

from litellm_memory.engine.engine import Engine
from litellm_memory.engine.health import Health
from litellm_memory.request.outcome import Outcome
from litellm_memory.request.participation import vendor_of
from litellm_memory.request.request import Request
from litellm_memory.request.tracing import trace_of

__all__ = ["Engine", "Health", "Outcome", "Request", "trace_of", "vendor_of"]
