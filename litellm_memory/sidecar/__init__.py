"""The HTTP API that shows and manages memory, on its own port, and its routing page on LiteLLM's port."""

from litellm_memory.sidecar.access import Served
from litellm_memory.sidecar.app import create_app
from litellm_memory.sidecar.metrics import keep_figures
from litellm_memory.sidecar.routing import add_routing
from litellm_memory.sidecar.server import serve

__all__ = ["Served", "add_routing", "create_app", "keep_figures", "serve"]
