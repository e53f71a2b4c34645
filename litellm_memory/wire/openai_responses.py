"""OpenAI Responses: ``input`` (a string or items) and ``instructions`` in, ``output`` items out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from litellm_memory.models import Body, Message, Reply, Turn
from litellm_memory.wire.content import at, indexed, is_message, is_object, message, objects, system, texts
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.reply import EMPTY, joined, visible_text
from litellm_memory.wire.turn import turn

_ANSWERING = ("instructions", "previous_response_id", "max_output_tokens", "reasoning", "text", "tools", "stream")
"""Settings of a responses body; an embedding request, which also has an ``input``, has none of them."""
_DELTAS = ("response.output_text.delta", "response.refusal.delta")


def read(body: Body) -> Turn | None:
    """The turn of a responses body; None without readable input."""
    return turn(body, [*system(body.get("instructions"), ("instructions",)), *_input(body.get("input"))])


def reply(events: Iterable[Event]) -> Reply:
    """The answer from a stream's deltas, or from the response object where there were none."""
    events = list(events)
    streamed = replace(joined(events, _event_reply), id=next(filter(None, map(_id, reversed(events))), None))
    if streamed.text:
        return streamed
    whole = (_output_text(event.get("response", event)) for event in reversed(events))
    return replace(streamed, text=next(filter(None, whole), ""))


def is_answer(event: Event) -> bool:
    """True for a response object and for the events of its stream."""
    kind = event.get("type")
    return isinstance(event.get("output"), list) or (isinstance(kind, str) and kind.startswith("response."))


def is_request(body: Body) -> bool:
    """True for an ``input`` with a setting of responses, or with an item that embedding requests cannot have."""
    if "input" not in body:
        return False
    return any(key in body for key in _ANSWERING) or any(map(_is_conversation_item, objects(body["input"])))


def with_system(body: Body, text: str) -> dict[str, Any]:
    """A copy of ``body`` with ``text`` as its instructions."""
    return {**body, "instructions": text}


def _is_conversation_item(item: Mapping[str, Any]) -> bool:
    return "role" in item or "call_id" in item


def _input(given: object) -> list[Message]:
    if isinstance(given, str):
        found = texts(given, ("input",))
        return [Message("person", found)] if found else []
    messages: list[Message] = []
    if any(item.get("role") is not None and not is_message(item) for item in objects(given)):
        return []
    for index, item in indexed(given):
        read = _item(item, index)
        if read and read.role == "assistant" and not read.texts and messages and messages[-1].role == "assistant":
            messages[-1] = replace(messages[-1], tools=True)
        elif read:
            messages.append(read)
    return messages


def _item(item: Mapping[str, Any], index: int) -> Message | None:
    if item.get("role") is not None:
        return message(item["role"], item.get("content"), ("input", index, "content"))
    if _is_call(item):
        return Message("assistant", tools=True)
    return Message("tool", tools=True) if str(item.get("type")).endswith("_output") else None


def _is_call(item: Mapping[str, Any]) -> bool:
    """True for ``function_call``, ``custom_tool_call``, ``web_search_call`` and their like, which have no role."""
    return str(item.get("type")).endswith("_call")


def _event_reply(event: Event) -> Reply:
    kind = event.get("type")
    if kind in _DELTAS:
        return Reply(visible_text(event.get("delta")))
    if is_object(item := event.get("item")):
        return Reply("", tools=_is_call(item))
    response = event.get("response", event)
    if not is_object(response):
        return EMPTY
    ended = kind == "response.completed" or response.get("status") == "completed"
    return Reply("", tools=any(map(_is_call, objects(response.get("output")))), complete=ended)


def _id(event: Event) -> str | None:
    response = event.get("response", event)
    given = response.get("id") if is_object(response) and "output" in response else None
    return given if isinstance(given, str) else None


def _output_text(response: object) -> str:
    return "".join(
        visible_text(item.get("content"))
        for item in objects(at(response, ("output",)))
        if item.get("type") == "message"
    )


FORMAT = WireFormat(
    name="openai_responses",
    read=read,
    reply=reply,
    is_answer=is_answer,
    call_types=("aresponses",),
    paths=("/responses",),
    is_request=is_request,
    with_system=with_system,
    message_list="input",
)
