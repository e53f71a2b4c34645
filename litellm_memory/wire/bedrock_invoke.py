"""Bedrock ``invoke``: every vendor's own body and answer. Those that another room speaks are handed to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm_memory.models import Body, Message, Reply, Turn
from litellm_memory.wire import anthropic_messages, bedrock_converse, openai_chat, openai_completions
from litellm_memory.wire.content import is_object, objects, string, texts, turn
from litellm_memory.wire.format import WireFormat
from litellm_memory.wire.reply import NOTHING, aloud, joined

_NEIGHBOURS: tuple[WireFormat, ...] = (anthropic_messages, bedrock_converse, openai_chat)


def read(body: Body) -> Turn | None:
    """The turn of an invoke body; None for vendors that we do not know, templated prompts and embeddings."""
    if "anthropic_version" in body:
        return anthropic_messages.read(body)
    if "messages" in body:  # Nova's system and messages, or a chat body (Mistral, Jamba, gpt-oss)
        return bedrock_converse.read(body)
    if "prompt" in body:  # Llama, Mistral
        return openai_completions.read(body)
    # Titan's embedding models take an inputText too, but no configuration of the text to write.
    if is_object(body.get("textGenerationConfig")) and (said := texts(body.get("inputText"), ("inputText",))):
        return turn(body, [Message("person", said)])
    return None


def reply(events: Iterable[Mapping[str, Any]]) -> Reply:
    """The answer, in whatever vendor's words its events are."""
    events = list(events)
    neighbour = next((one for one in _NEIGHBOURS if any(map(one.is_answer, events))), None)
    return neighbour.reply(events) if neighbour else joined(events, _heard)


def is_answer(event: Mapping[str, Any]) -> bool:
    """True for the vendors' answers that no other format knows: Titan, Llama, Mistral."""
    return _heard(event) != NOTHING


def _heard(event: Mapping[str, Any]) -> Reply:
    # Titan: results[0] or, streamed, the event itself. Mistral: outputs[0]. Llama: the event itself.
    said = next((one for key in ("results", "outputs") for one in objects(event.get(key))), event)
    text = next((said[key] for key in ("outputText", "generation", "text") if isinstance(said.get(key), str)), "")
    ended = string(said.get("completionReason")) or string(said.get("stop_reason"))
    return Reply(aloud(text), complete=ended is not None)
