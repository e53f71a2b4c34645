"""OpenAI Responses: ``input`` (a string or items) and ``instructions`` in, ``output`` items out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from litellm_memory.models import Body, Message, Reply, Turn
from litellm_memory.wire.content import at, indexed, is_message, is_object, message, objects, system, texts, turn
from litellm_memory.wire.reply import NOTHING, aloud, joined

_DELTAS = ("response.output_text.delta", "response.refusal.delta")


def read(body: Body) -> Turn | None:
    """The turn of a responses body; None without readable input."""
    return turn(body, [*system(body.get("instructions"), ("instructions",)), *_input(body.get("input"))])


def reply(events: Iterable[Mapping[str, Any]]) -> Reply:
    """The answer from a stream's deltas, or from the response object where there were none."""
    events = list(events)
    streamed = replace(joined(events, _heard), id=next(filter(None, map(_id, reversed(events))), None))
    if streamed.text:
        return streamed
    whole = (_output_text(event.get("response", event)) for event in reversed(events))
    return replace(streamed, text=next(filter(None, whole), ""))


def is_answer(event: Mapping[str, Any]) -> bool:
    """True for a response object and for the events of its stream."""
    kind = event.get("type")
    return isinstance(event.get("output"), list) or (isinstance(kind, str) and kind.startswith("response."))


def _input(given: object) -> list[Message]:
    if isinstance(given, str):
        found = texts(given, ("input",))
        return [Message("person", found)] if found else []
    messages: list[Message] = []
    if any(item.get("role") is not None and not is_message(item) for item in objects(given)):
        return []
    for index, item in indexed(given):
        said = _item(item, index)
        if said and said.role == "assistant" and not said.texts and messages and messages[-1].role == "assistant":
            messages[-1] = replace(messages[-1], tools=True)
        elif said:
            messages.append(said)
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


def _heard(event: Mapping[str, Any]) -> Reply:
    kind = event.get("type")
    if kind in _DELTAS:
        return Reply(aloud(event.get("delta")))
    if is_object(item := event.get("item")):
        return Reply("", tools=_is_call(item))
    response = event.get("response", event)
    if not is_object(response):
        return NOTHING
    ended = kind == "response.completed" or response.get("status") == "completed"
    return Reply("", tools=any(map(_is_call, objects(response.get("output")))), complete=ended)


def _id(event: Mapping[str, Any]) -> str | None:
    response = event.get("response", event)
    given = response.get("id") if is_object(response) and "output" in response else None
    return given if isinstance(given, str) else None


def _output_text(response: object) -> str:
    return "".join(
        aloud(item.get("content")) for item in objects(at(response, ("output",))) if item.get("type") == "message"
    )
