"""Long-term memory for every AI client behind a LiteLLM proxy.

``handler`` is what ``callbacks: ["litellm_memory.handler"]`` names; it is built on first touch, inside the proxy.
``demo`` is a model that needs no key and shows the memory that it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litellm_memory.hooks.demo_model import DemoModel
    from litellm_memory.hooks.handler import MemoryHandler
    from litellm_memory.settings import Settings

    handler: MemoryHandler
    demo: DemoModel

__version__ = "0.1.0"
__all__ = ["Settings", "__version__", "demo", "handler"]


def __getattr__(name: str) -> Any:
    """Builds ``handler`` and ``demo`` when LiteLLM first asks for them, so that importing the package costs nothing."""
    if name == "handler":
        from litellm_memory.hooks.startup import build_handler

        value: Any = build_handler()
    elif name == "demo":
        from litellm_memory.hooks.demo_model import DemoModel

        value = DemoModel()
    elif name == "Settings":
        from litellm_memory.settings import Settings as value
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
