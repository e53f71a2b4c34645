"""The small web server that shows and steers memory, and its routing page on LiteLLM's own port."""

from litellm_memory.sidecar.access import Served
from litellm_memory.sidecar.app import create_app
from litellm_memory.sidecar.metrics import keep_figures
from litellm_memory.sidecar.routing import add_routing
from litellm_memory.sidecar.server import serve

__all__ = ["Served", "add_routing", "create_app", "keep_figures", "serve"]
