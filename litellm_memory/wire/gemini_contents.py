"""Gemini ``generateContent``: ``systemInstruction`` and ``contents`` of parts in, ``candidates`` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from litellm_memory.models import Body, Message, Place, Reply, Role, Turn
from litellm_memory.wire.content import ROLES as COMMON_ROLES
from litellm_memory.wire.content import (
    at,
    carries_tools,
    is_content,
    is_object,
    message,
    objects,
    string,
    system,
)
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.reply import EMPTY, joined, visible_text
from litellm_memory.wire.turn import turn

ROLES: Mapping[str, Role] = {**COMMON_ROLES, "model": "assistant"}
SYSTEM_KEYS = ("systemInstruction", "system_instruction")


def read(body: Body) -> Turn | None:
    """The turn of a contents body; None without readable contents."""
    messages = list(_contents(body.get("contents")))
    return turn(body, [*_system(body), *messages]) if messages else None


def reply(events: Iterable[Event]) -> Reply:
    """The first candidate of the answer, without its thoughts. ``finishReason`` marks its end."""
    return joined(events, _event_reply)


def is_answer(event: Event) -> bool:
    """True for an event with ``candidates``, or with ``promptFeedback``, the reason why there are none."""
    return isinstance(event.get("candidates"), list) or is_object(event.get("promptFeedback"))


def is_request(body: Body) -> bool:
    """True for a body with ``contents``."""
    return "contents" in body


def with_system(body: Body, text: str) -> dict[str, Any]:
    """A copy of ``body`` with ``text`` as its system prompt."""
    return {**body, "systemInstruction": {"parts": [{"text": text}]}}


def _system(body: Body) -> list[Message]:
    for key in SYSTEM_KEYS:
        given = body.get(key)
        parts, place = (given["parts"], (key, "parts")) if is_object(given) and "parts" in given else (given, (key,))
        if found := system(parts, place):
            return found
    return []


def _contents(contents: object) -> Iterator[Message]:
    """The messages of one content or a list of contents: each is an object with parts, or a string of the person."""
    listed = isinstance(contents, list)
    if not all(map(_is_content, contents if isinstance(contents, list) else [contents])):
        return
    for index, content in enumerate(contents if isinstance(contents, list) else [contents]):
        place: Place = ("contents", index) if listed else ("contents",)
        if found := _content(content, place):
            yield found


def _is_content(content: object) -> bool:
    """True for a content that Gemini accepts. LiteLLM's error for an invalid one quotes it, and must not change."""
    if not is_object(content):
        return isinstance(content, str)
    return content.get("role") in (None, *ROLES) and ("parts" not in content or is_content(content["parts"]))


def _content(content: object, place: Place) -> Message | None:
    if isinstance(content, str):
        return message("user", content, place)
    if not is_object(content):
        return None
    role = content.get("role")
    return message("user" if role is None else role, content.get("parts"), (*place, "parts"), roles=ROLES)


def _event_reply(event: Event) -> Reply:
    candidate = next((one for one in objects(event.get("candidates")) if one.get("index") in (None, 0)), None)
    if candidate is None:
        return EMPTY
    parts = at(candidate, ("content", "parts"))
    # In LiteLLM's own objects it is finish_reason.
    ended = string(candidate.get("finishReason") or candidate.get("finish_reason"))
    return Reply(visible_text(parts), tools=carries_tools(parts), complete=ended is not None)


FORMAT = WireFormat(
    name="gemini_contents",
    read=read,
    reply=reply,
    is_answer=is_answer,
    call_types=("agenerate_content", "agenerate_content_stream"),
    paths=(":generateContent", ":streamGenerateContent"),
    is_request=is_request,
    with_system=with_system,
    single_part_keys=SYSTEM_KEYS,
)
