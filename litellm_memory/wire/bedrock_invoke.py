"""Bedrock ``invoke``: each vendor has its own body and answer; many have the shape of another format."""

from __future__ import annotations

from collections.abc import Iterable

from litellm_memory.models import Body, Message, Reply, Turn
from litellm_memory.wire import anthropic_messages, bedrock_converse, openai_chat, openai_completions
from litellm_memory.wire.content import is_object, objects, string, texts
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.reply import EMPTY, joined, visible_text
from litellm_memory.wire.turn import turn

_OTHER_FORMATS = (anthropic_messages.FORMAT, bedrock_converse.FORMAT, openai_chat.FORMAT)


def read(body: Body) -> Turn | None:
    """The turn of an invoke body; None for unknown vendors, templated prompts and embeddings."""
    if "anthropic_version" in body:
        return anthropic_messages.read(body)
    if "messages" in body:  # Nova's system and messages, or a chat body (Mistral, Jamba, gpt-oss)
        return bedrock_converse.read(body)
    if "prompt" in body:  # Llama, Mistral
        return openai_completions.read(body)
    # Titan's embedding models take an inputText too, but no textGenerationConfig.
    if is_request(body) and (found := texts(body.get("inputText"), ("inputText",))):
        return turn(body, [Message("person", found)])
    return None


def reply(events: Iterable[Event]) -> Reply:
    """The answer of any vendor."""
    events = list(events)
    other = next((one for one in _OTHER_FORMATS if any(map(one.is_answer, events))), None)
    return other.reply(events) if other else joined(events, _event_reply)


def is_answer(event: Event) -> bool:
    """True for the answers that no other format covers: Titan, Llama, Mistral."""
    return _event_reply(event) != EMPTY


def is_request(body: Body) -> bool:
    """True for a body of Titan; the bodies of other vendors have the shapes of other formats."""
    return is_object(body.get("textGenerationConfig"))


def _event_reply(event: Event) -> Reply:
    # Titan: results[0] or, streamed, the event itself. Mistral: outputs[0]. Llama: the event itself.
    result = next((one for key in ("results", "outputs") for one in objects(event.get(key))), event)
    text = next((result[key] for key in ("outputText", "generation", "text") if isinstance(result.get(key), str)), "")
    ended = string(result.get("completionReason")) or string(result.get("stop_reason"))
    return Reply(visible_text(text), complete=ended is not None)


FORMAT = WireFormat(
    name="bedrock_invoke",
    read=read,
    reply=reply,
    is_answer=is_answer,
    paths=("/invoke", "/invoke-with-response-stream"),
    is_request=is_request,
)
