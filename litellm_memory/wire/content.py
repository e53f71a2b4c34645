"""Messages and their texts, parsed from JSON of any shape. Nothing here raises for JSON.

A message of role ``tool`` has no texts, because nobody wrote a tool's result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from litellm_memory.models import Body, Message, Place, Role, Text

ROLES: Mapping[str, Role] = {
    "user": "person",
    "human": "person",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
"""Who wrote a message, by its ``role``. A format with other role names has a table of its own."""
TEXT_TYPES = (None, "text", "input_text", "output_text")
"""The ``type`` of a part that carries text. Gemini and Converse parts have none."""

TOOL_KEYS = (
    "functionCall",
    "function_call",
    "functionResponse",
    "function_response",
    "executableCode",
    "codeExecutionResult",
    "toolUse",
    "toolResult",
)
"""The keys under which parts without a ``type`` hold a tool call or its result (Gemini, Converse)."""
CALL_KEYS = ("tool_call_id", "name", "tool_name")
"""The keys by which a tool's message refers to its call."""


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """True for a JSON object."""
    return isinstance(value, dict)


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects in a list, in order; none when ``value`` is not a list."""
    return (item for _, item in indexed(value))


def indexed(value: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects in a list with their indexes; none when ``value`` is not a list."""
    if isinstance(value, list):
        yield from ((index, item) for index, item in enumerate(value) if is_object(item))


def at(body: object, place: Place) -> Any:
    """The value at ``place``; None when there is no such place."""
    for key in place:
        if is_object(body) and isinstance(key, str):
            body = body.get(key)
        elif isinstance(body, list) and isinstance(key, int) and -len(body) <= key < len(body):
            body = body[key]
        else:
            return None
    return body


def string(value: object) -> str | None:
    """``value`` when it is a string that is not blank, else None."""
    return value if isinstance(value, str) and value and not value.isspace() else None


def message(
    role: object, content: object, place: Place, *, tools: bool = False, roles: Mapping[str, Role] = ROLES
) -> Message | None:
    """The message with this ``content``, which is at ``place`` in the body; None for a role that is not in ``roles``.

    A user message with only tool results counts as a tool message, not as the person's.
    """
    known = roles.get(role) if isinstance(role, str) else None
    if known is None:
        return None
    found = texts(content, place)
    tools = tools or carries_tools(content)
    if known == "tool" or (known == "person" and tools and not found):
        return Message("tool", tools=True)
    return Message(known, found, tools)


def chat_messages(body: Body) -> list[Message]:
    """The messages under ``messages``: objects with ``role`` and ``content``; an empty list if any is malformed.

    LiteLLM's error for an invalid body quotes the body, so that error must be the same as without memory.
    """
    items = body.get("messages")
    if not isinstance(items, list) or not all(map(is_message, items)):
        return []
    read = (_chat_message(item, index) for index, item in indexed(items))
    return [found for found in read if found]


def is_message(item: object) -> bool:
    """True for an object with a known role and content that is valid for it."""
    role = item.get("role") if is_object(item) else None
    if not is_object(item) or not isinstance(role, str) or role not in ROLES:
        return False
    if ROLES[role] == "tool" and not any(isinstance(item.get(key), str) for key in CALL_KEYS):
        return False
    content = item.get("content")
    may_be_empty = ROLES[role] in ("assistant", "tool")
    return (content is None and may_be_empty) or is_content(content)


def is_content(content: object) -> bool:
    """True for a string, a part, or a list of parts."""
    if isinstance(content, list):
        return all(map(_is_part, content))
    return isinstance(content, str) or (_is_part(content) and "text" in content)


def system(content: object, place: Place) -> list[Message]:
    """The system message that a body has outside its messages, as a list of at most one."""
    found = texts(content, place)
    return [Message("system", found)] if found else []


def texts(content: object, place: Place) -> tuple[Text, ...]:
    """The texts in ``content``: a string, a part, or a list of either. Blank texts and thoughts are skipped."""
    if isinstance(content, list):
        return tuple(text for index, part in enumerate(content) for text in _part(part, (*place, index)))
    return tuple(_part(content, place))


def text_key(part: Mapping[str, Any]) -> str | None:
    """The key of the visible text of ``part``; None for thoughts, images, tools and everything else."""
    if part.get("type") == "refusal":
        return "refusal"
    return "text" if part.get("type") in TEXT_TYPES and not part.get("thought") else None


def carries_tools(content: object) -> bool:
    """True when a part of ``content`` is a tool call or a tool's result."""
    parts = content if isinstance(content, list) else [content]
    return any(_is_tool(part) for part in parts if is_object(part))


def _chat_message(item: Mapping[str, Any], index: int) -> Message | None:
    calls = bool(item.get("tool_calls") or item.get("function_call"))
    return message(item.get("role"), item.get("content"), ("messages", index, "content"), tools=calls)


def _is_part(part: object) -> TypeGuard[Mapping[str, Any]]:
    """True for an object whose ``text``, when it has one, is a string."""
    return is_object(part) and (part.get("text") is None or isinstance(part["text"], str))


def _part(part: object, place: Place) -> Iterator[Text]:
    if isinstance(part, str):
        if string(part):
            yield Text(part, place)
    elif is_object(part):
        key = text_key(part)
        if key and (text := string(part.get(key))):
            yield Text(text, (*place, key))


def _is_tool(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    return (isinstance(kind, str) and "tool" in kind) or any(part.get(key) is not None for key in TOOL_KEYS)
