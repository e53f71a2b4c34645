"""``python -m litellm_memory`` is the command ``litellm-memory``."""

from litellm_memory.cli import app

app()
