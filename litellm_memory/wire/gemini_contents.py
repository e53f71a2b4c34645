"""Gemini ``generateContent``: ``systemInstruction`` and ``contents`` of parts in, ``candidates`` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from litellm_memory.models import Body, Message, Place, Reply, Turn
from litellm_memory.wire.content import (
    ROLES,
    at,
    carries_tools,
    is_content,
    is_object,
    message,
    objects,
    string,
    system,
    turn,
)
from litellm_memory.wire.reply import NOTHING, aloud, joined

SYSTEM_KEYS = ("systemInstruction", "system_instruction")


def read(body: Body) -> Turn | None:
    """The turn of a contents body; None without readable contents."""
    said = list(_contents(body.get("contents")))
    return turn(body, [*_system(body), *said]) if said else None


def reply(events: Iterable[Mapping[str, Any]]) -> Reply:
    """The first candidate of the answer, without its thoughts. A ``finishReason`` ends it."""
    return joined(events, _heard)


def is_answer(event: Mapping[str, Any]) -> bool:
    """True for what has ``candidates``, or says why it has none."""
    return isinstance(event.get("candidates"), list) or is_object(event.get("promptFeedback"))


def _system(body: Body) -> list[Message]:
    for key in SYSTEM_KEYS:
        given = body.get(key)
        parts, place = (given["parts"], (key, "parts")) if is_object(given) and "parts" in given else (given, (key,))
        if found := system(parts, place):
            return found
    return []


def _contents(contents: object) -> Iterator[Message]:
    """One content or a list of them: each an object with parts, or a bare string of a person."""
    listed = isinstance(contents, list)
    if not all(map(_is_content, contents if isinstance(contents, list) else [contents])):
        return
    for index, content in enumerate(contents if isinstance(contents, list) else [contents]):
        place: Place = ("contents", index) if listed else ("contents",)
        said = _content(content, place)
        if said:
            yield said


def _is_content(content: object) -> bool:
    """True for what Gemini takes: what LiteLLM refuses it quotes in the error, which memory must not change."""
    if not is_object(content):
        return isinstance(content, str)
    return content.get("role") in (None, *ROLES) and is_content(content.get("parts"))


def _content(content: object, place: Place) -> Message | None:
    if isinstance(content, str):
        return message("user", content, place)
    if not is_object(content):
        return None
    role = content.get("role")
    return message("user" if role is None else role, content.get("parts"), (*place, "parts"))


def _heard(event: Mapping[str, Any]) -> Reply:
    candidate = next((one for one in objects(event.get("candidates")) if one.get("index") in (None, 0)), None)
    if candidate is None:
        return NOTHING
    parts = at(candidate, ("content", "parts"))
    # LiteLLM's own objects spell it finish_reason.
    ended = string(candidate.get("finishReason") or candidate.get("finish_reason"))
    return Reply(aloud(parts), tools=carries_tools(parts), complete=ended is not None)
