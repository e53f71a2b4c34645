"""Careful reading of JSON that others wrote: messages, their texts and places, and what a body says besides.

What tools gave back is nobody's words: a message of role ``tool`` has no texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from litellm_memory.models import Body, Message, Place, Role, Text, Turn

ROLES: Mapping[str, Role] = {
    "user": "person",
    "human": "person",
    "assistant": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
MESSAGE_ROLES = frozenset(ROLES) - {"model"}
"""Those of ``messages`` and of items; Gemini's contents alone know a ``model``."""
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
"""The keys by which parts without a ``type`` carry a tool call or its result (Gemini, Converse)."""
CALL_KEYS = ("tool_call_id", "name", "tool_name")
"""The keys by which a tool's message says which call it answers."""

MAX_TOKENS: tuple[Place, ...] = (
    ("max_completion_tokens",),
    ("max_tokens",),
    ("max_output_tokens",),
    ("max_gen_len",),
    ("generationConfig", "maxOutputTokens"),
    ("generation_config", "max_output_tokens"),
    ("inferenceConfig", "maxTokens"),
    ("inferenceConfig", "max_new_tokens"),
    ("textGenerationConfig", "maxTokenCount"),
)
OUTPUT_PROPERTIES: tuple[Place, ...] = (
    ("response_format", "json_schema", "schema", "properties"),
    ("text", "format", "schema", "properties"),
    ("output_config", "format", "schema", "properties"),
    ("output_format", "schema", "properties"),
    ("generationConfig", "responseSchema", "properties"),
    ("generationConfig", "responseJsonSchema", "properties"),
    ("generation_config", "response_schema", "properties"),
)
TOOLS: tuple[Place, ...] = (("tools",), ("functions",), ("toolConfig", "tools"))
SESSIONS: tuple[Place, ...] = (
    ("client_metadata", "session_id"),
    ("prompt_cache_key",),
    ("conversation",),
    ("conversation", "id"),
    ("litellm_session_id",),
)
# Claude Code before 2.1: user_<hash>_account_<uuid>_session_<uuid>.
_OLDER_CLAUDE_SESSION = re.compile(r"_session_([0-9A-Za-z-]{1,64})\Z")


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """True for a JSON object."""
    return isinstance(value, dict)


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects in a list, in order; nothing when ``value`` is no list."""
    return (item for _, item in indexed(value))


def indexed(value: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects in a list with their indexes; nothing when ``value`` is no list."""
    if isinstance(value, list):
        yield from ((index, item) for index, item in enumerate(value) if is_object(item))


def at(body: object, place: Place) -> Any:
    """The value at ``place``, or None when the way there does not exist."""
    for key in place:
        if is_object(body) and isinstance(key, str):
            body = body.get(key)
        elif isinstance(body, list) and isinstance(key, int) and -len(body) <= key < len(body):
            body = body[key]
        else:
            return None
    return body


def string(value: object) -> str | None:
    """``value`` when it is a string that says something, else None."""
    return value if isinstance(value, str) and value and not value.isspace() else None


def turn(body: Body, messages: Iterable[Message]) -> Turn | None:
    """The turn of these messages with everything else that ``body`` says of it; None without any message."""
    said = tuple(messages)
    if not said:
        return None
    return Turn(
        messages=said,
        model=string(body.get("model")),
        tools=any(isinstance(offered := at(body, place), list) and bool(offered) for place in TOOLS),
        max_tokens=next(filter(_is_count, (at(body, place) for place in MAX_TOKENS)), None),
        output_keys=_output_keys(body),
        previous=string(body.get("previous_response_id")),
        user=string(body.get("user")),
        session=_session(body),
    )


def message(role: object, content: object, place: Place, *, tools: bool = False) -> Message | None:
    """The message whose ``content`` stands at ``place``; None for a role that no format knows.

    A user message that has only results of tools is the tools', not the person's.
    """
    known = ROLES.get(role) if isinstance(role, str) else None
    if known is None:
        return None
    found = texts(content, place)
    tools = tools or carries_tools(content)
    if known == "tool" or (known == "person" and tools and not found):
        return Message("tool", tools=True)
    return Message(known, found, tools)


def chat_messages(body: Body) -> list[Message]:
    """The messages under ``messages``: objects with a ``role`` and a ``content``; none where one of them is odd.

    What LiteLLM refuses it quotes in the error, and a refusal has to be the one that comes without memory.
    """
    items = body.get("messages")
    if not isinstance(items, list) or not all(map(is_message, items)):
        return []
    read = (_chat_message(item, index) for index, item in indexed(items))
    return [found for found in read if found]


def is_message(item: object) -> bool:
    """True for an object with a role that some format knows, and content that goes with it."""
    role = item.get("role") if is_object(item) else None
    if not is_object(item) or not isinstance(role, str) or role not in MESSAGE_ROLES:
        return False
    if ROLES[role] == "tool" and not any(isinstance(item.get(key), str) for key in CALL_KEYS):
        return False
    content = item.get("content")
    silent = ROLES[role] in ("assistant", "tool") and content is None
    return silent or is_content(content)


def is_content(content: object) -> bool:
    """True for a string, a part, or a list of parts."""
    if isinstance(content, list):
        return all(map(_is_part, content))
    return isinstance(content, str) or (_is_part(content) and "text" in content)


def system(content: object, place: Place) -> list[Message]:
    """The system message that a body keeps outside of its messages: none or one."""
    found = texts(content, place)
    return [Message("system", found)] if found else []


def texts(content: object, place: Place) -> tuple[Text, ...]:
    """The texts in ``content``: a string, a part, or a list of either. Blank texts and thoughts are left out."""
    if isinstance(content, list):
        return tuple(text for index, part in enumerate(content) for text in _part(part, (*place, index)))
    return tuple(_part(content, place))


def text_key(part: Mapping[str, Any]) -> str | None:
    """The key of the text that ``part`` says aloud: None for thoughts, images, tools and everything else."""
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
    """True for an object whose text, when it has one, is a text."""
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


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _output_keys(body: Body) -> tuple[str, ...]:
    found = next(filter(is_object, (at(body, place) for place in OUTPUT_PROPERTIES)), {})
    return tuple(key for key in found if isinstance(key, str))


def _session(body: Body) -> str | None:
    claimed = _anthropic_session(at(body, ("metadata", "user_id")))
    return claimed or next(filter(None, (string(at(body, place)) for place in SESSIONS)), None)


def _anthropic_session(user_id: object) -> str | None:
    """The session in Anthropic's ``metadata.user_id``, where Claude Code keeps one, in either of its two forms."""
    if not isinstance(user_id, str):
        return None
    if older := _OLDER_CLAUDE_SESSION.search(user_id):
        return older[1]
    try:
        return string(at(json.loads(user_id), ("session_id",)))
    except (ValueError, RecursionError):
        return None
