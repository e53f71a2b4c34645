"""The models that a LiteLLM config names, for commands that run without its proxy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litellm_memory.llm import Models
    from litellm_memory.settings import Settings


def models_for(settings: Settings, config: Mapping[str, Any]) -> Models | None:
    """The models of a LiteLLM config, outside of its proxy; None when the settings need none."""
    if settings.embedding.model == "local":
        return None
    # LiteLLM's import takes seconds.
    from litellm_memory.llm import models_of

    return models_of(config)
