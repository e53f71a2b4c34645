"""The table of wire formats. To add a format, write a module and add a line here."""

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
"""Every format, in the order in which they are tried on paths, bodies and answers: the first match wins.

Converse and Anthropic bodies also match chat's looser shape, and chat's path also ends like that of completions.
Invoke matches any answer that has a text, so it comes last.
"""

NATIVE_CALL_TYPES = frozenset(call_type for format in FORMATS for call_type in format.call_types)
"""The call types of LiteLLM's own routes; with its other call types, a body may be any JSON."""
