"""A Turn from a body: its messages, and those settings that matter to recall and to the kind of request.

A setting has different names in different formats; all names are tried on every body. A format whose name is not here
can replace that field of its Turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

from litellm_memory.models import Body, Message, Place, Turn
from litellm_memory.wire.content import at, is_object, string

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
"""Where a body limits the tokens of its answer."""
OUTPUT_PROPERTIES: tuple[Place, ...] = (
    ("response_format", "json_schema", "schema", "properties"),
    ("text", "format", "schema", "properties"),
    ("output_config", "format", "schema", "properties"),
    ("output_format", "schema", "properties"),
    ("generationConfig", "responseSchema", "properties"),
    ("generationConfig", "responseJsonSchema", "properties"),
    ("generation_config", "response_schema", "properties"),
)
"""Where a body has the properties of the JSON schema for its answer."""
TOOLS: tuple[Place, ...] = (("tools",), ("functions",), ("toolConfig", "tools"))
"""Where a body offers tools."""
FEW_GROUPS = 4
"""A list of more tools has no groups."""
SESSIONS: tuple[Place, ...] = (
    ("client_metadata", "session_id"),
    ("prompt_cache_key",),
    ("conversation",),
    ("conversation", "id"),
    ("litellm_session_id",),
)
"""Where a body names its session."""
# Claude Code before 2.1: user_<hash>_account_<uuid>_session_<uuid>.
_OLDER_CLAUDE_SESSION = re.compile(r"_session_([0-9A-Za-z-]{1,64})\Z")


def turn(body: Body, messages: Iterable[Message]) -> Turn | None:
    """The turn of these messages with the settings of ``body``; None without any message."""
    found = tuple(messages)
    if not found:
        return None
    tools = sum(map(_tools, _values(body, TOOLS)))
    return Turn(
        messages=found,
        model=string(body.get("model")),
        tools=tools > 0,
        tool_count=tools,
        max_tokens=next(filter(_is_count, _values(body, MAX_TOKENS)), None),
        output_keys=_output_keys(body),
        previous=string(body.get("previous_response_id")),
        user=string(body.get("user")),
        session=_session(body),
    )


def _values(body: Body, places: Iterable[Place]) -> Iterator[Any]:
    """The values at those of ``places`` whose first key ``body`` has, in order."""
    return (at(body, place) for place in places if place[0] in body)


def _tools(offered: object) -> int:
    """How many tools there are in a list; Gemini lists them one level deeper, in few groups."""
    if not isinstance(offered, list):
        return 0
    groups = [at(one, ("functionDeclarations",)) for one in offered] if len(offered) <= FEW_GROUPS else ()
    return max(len(offered), sum(len(group) for group in groups if isinstance(group, list)))


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _output_keys(body: Body) -> tuple[str, ...]:
    found = next(filter(is_object, _values(body, OUTPUT_PROPERTIES)), {})
    return tuple(key for key in found if isinstance(key, str))


def _session(body: Body) -> str | None:
    of_claude = _claude_session(at(body, ("metadata", "user_id")))
    return of_claude or next(filter(None, map(string, _values(body, SESSIONS))), None)


def _claude_session(user_id: object) -> str | None:
    """The session that Claude Code puts into Anthropic's ``metadata.user_id``, in either of its two forms."""
    if not isinstance(user_id, str):
        return None
    if older := _OLDER_CLAUDE_SESSION.search(user_id):
        return older[1]
    try:
        return string(at(json.loads(user_id), ("session_id",)))
    except (ValueError, RecursionError):  # any other client's user id
        return None
