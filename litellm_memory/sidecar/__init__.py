"""The app of the HTTP API on its own port, its server, the tools for agents, and what an operator's address is told."""

from litellm_memory.api.metrics import keep_figures
from litellm_memory.api.routing import add_routing
from litellm_memory.gate.access import Served
from litellm_memory.sidecar.alerts import keep_alerting
from litellm_memory.sidecar.app import create_app
from litellm_memory.sidecar.server import serve

__all__ = ["Served", "add_routing", "create_app", "keep_alerting", "keep_figures", "serve"]
