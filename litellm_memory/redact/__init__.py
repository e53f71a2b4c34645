"""Replaces secrets and private spans by ``[REDACTED:kind]`` in all that is stored, shown, or sent to a model."""

from litellm_memory.redact.redactor import Redactor
from litellm_memory.redact.rules import redact

__all__ = ["Redactor", "redact"]
