"""Messages and their texts, parsed from JSON of any shape. Nothing here raises for JSON.

Only the texts of the person and of the system are read: nobody wrote a tool's result, and what the assistant said
matters to nobody here. Nearly all of a long conversation is of these two.
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
_TOOL_KEYS = frozenset(TOOL_KEYS)
_TOOL_MESSAGE = Message("tool", tools=True)
_ANSWER, _CALL = Message("assistant"), Message("assistant", tools=True)

# The functions below run for every part of every message of a request, so they have plain loops and no generators.


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


CARRIERS = ("messages", "contents", "input", "prompt")
"""The keys under which the formats carry a conversation."""
UNREAD = frozenset({"assistant", "model", "tool", "function", "system", "developer"})
"""Roles whose texts cost nothing: they are not read, or not searched for a person's words."""
CHARACTERS = 100
"""Characters of a person that take about as long to read as a message or a part without a text."""


def is_longer(body: Body, most: int) -> bool:
    """True for a conversation of more than ``most`` messages, parts and CHARACTERS of the person, all in all.

    Takes a small share of the time that reading takes.
    """
    left = most
    for carrier in CARRIERS:
        said = body.get(carrier)
        items = said if isinstance(said, list) else [said]
        left -= len(items)
        for item in items:
            if left < 0:
                return True
            left -= _weight(item, left)
    return left < 0


def _weight(item: object, most: int) -> int:
    """The weight of a message or part besides itself; counting ends at ``most``."""
    if not is_object(item):
        return len(item) // CHARACTERS if isinstance(item, str) else 0
    inner = next((item[key] for key in ("content", "parts", "text") if key in item), None)
    role = item.get("role")
    read = not isinstance(role, str) or role not in UNREAD
    if not isinstance(inner, list):
        return len(inner) // CHARACTERS if isinstance(inner, str) and read else 0
    if len(inner) > most or not read:
        return len(inner)
    texts = (part.get("text") if is_object(part) else part for part in inner)
    return len(inner) + sum(len(text) for text in texts if isinstance(text, str)) // CHARACTERS


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
    if known == "tool":
        return _TOOL_MESSAGE
    tools = tools or carries_tools(content)
    if known == "assistant":
        return _CALL if tools else _ANSWER
    found = texts(content, place)
    if known == "person" and tools and not found:
        return _TOOL_MESSAGE
    return Message(known, found, tools)


def chat_messages(body: Body) -> list[Message]:
    """The messages under ``messages``: objects with ``role`` and ``content``; an empty list if any is malformed.

    LiteLLM's error for an invalid body quotes the body, so that error must be the same as without memory. A message
    that says nothing, or nobody says, is passed over.
    """
    items = body.get("messages")
    if not isinstance(items, list) or not all(map(is_message, items)):
        return []
    read = (_chat_message(item, index) for index, item in enumerate(items))
    return [found for found in read if found]


def is_message(item: object) -> bool:
    """True for an object with a known role and content that is valid for it."""
    if not is_object(item):
        return False
    role = item.get("role")
    if role is None:
        return item.get("content") is None or is_content(item["content"])
    known = ROLES.get(role) if isinstance(role, str) else None
    if known is None or (known == "tool" and not any(isinstance(item.get(key), str) for key in CALL_KEYS)):
        return False
    content = item.get("content")
    return content is None or is_content(content)


def is_content(content: object) -> bool:
    """True for a string, a part, or a list of parts."""
    if isinstance(content, str):
        return True
    if not isinstance(content, list):
        return _is_part(content) and "text" in content
    return all(map(_is_part, content))


def system(content: object, place: Place) -> list[Message]:
    """The system message that a body has outside its messages, as a list of at most one."""
    found = texts(content, place)
    return [Message("system", found)] if found else []


def texts(content: object, place: Place) -> tuple[Text, ...]:
    """The texts in ``content``: a string, a part, or a list of either. Blank texts and thoughts are skipped."""
    if not isinstance(content, list):
        return (Text(found[0], (*place, *found[1])),) if (found := _text(content)) else ()
    texts: list[Text] = []
    for index, part in enumerate(content):
        if found := _text(part):
            texts.append(Text(found[0], (*place, index, *found[1])))
    return tuple(texts)


def text_key(part: Mapping[str, Any]) -> str | None:
    """The key of the visible text of ``part``; None for thoughts, images, tools and everything else."""
    kind = part.get("type")
    if kind == "refusal":
        return "refusal"
    return "text" if kind in TEXT_TYPES and not part.get("thought") else None


def carries_tools(content: object) -> bool:
    """True when a part of ``content`` is a tool call or a tool's result."""
    for part in content if isinstance(content, list) else (content,):
        if isinstance(part, dict) and _is_tool(part):
            return True
    return False


def _chat_message(item: Mapping[str, Any], index: int) -> Message | None:
    calls = bool(item.get("tool_calls") or item.get("function_call"))
    return message(item.get("role"), item.get("content"), ("messages", index, "content"), tools=calls)


def _is_part(part: object) -> TypeGuard[Mapping[str, Any]]:
    """True for an object whose ``text``, when it has one, is a string."""
    return isinstance(part, dict) and ((text := part.get("text")) is None or isinstance(text, str))


def _text(part: object) -> tuple[str, Place] | None:
    """The visible text of a part and where in the part it is."""
    if isinstance(part, str):
        return (part, ()) if string(part) else None
    if not isinstance(part, dict) or (key := text_key(part)) is None or not (text := string(part.get(key))):
        return None
    return text, (key,)


def _is_tool(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    if isinstance(kind, str) and "tool" in kind:
        return True
    return not _TOOL_KEYS.isdisjoint(part) and any(part.get(key) is not None for key in TOOL_KEYS)
