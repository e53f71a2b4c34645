"""The table of wire formats. A new format is a module and a line here."""

from __future__ import annotations

from litellm_memory.wire import (
    anthropic_messages,
    bedrock_converse,
    bedrock_invoke,
    gemini_contents,
    ollama,
    openai_chat,
    openai_completions,
    openai_responses,
)
from litellm_memory.wire.format import WireFormat

FORMATS: tuple[WireFormat, ...] = (
    gemini_contents.FORMAT,
    bedrock_converse.FORMAT,
    anthropic_messages.FORMAT,
    openai_chat.FORMAT,
    openai_completions.FORMAT,
    openai_responses.FORMAT,
    ollama.FORMAT,
    bedrock_invoke.FORMAT,
)
"""Every format, in the order in which paths, bodies and answers are tried: the first that fits is taken.

Converse and Anthropic bodies also fit chat's looser shape, and a path of chat also ends like one of completions.
Invoke takes any answer that has a text, so it comes last.
"""

NATIVE_CALL_TYPES = frozenset(call_type for format in FORMATS for call_type in format.call_types)
"""The call types of LiteLLM's own routes; under its other call types any JSON may come."""
