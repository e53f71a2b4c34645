"""A reply from the events that spell it: each event is heard as a small reply of its own, and they are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from litellm_memory.models import Reply
from litellm_memory.wire.content import is_object, text_key

NOTHING = Reply("")


def joined(events: Iterable[Mapping[str, Any]], heard: Callable[[Mapping[str, Any]], Reply]) -> Reply:
    """The whole reply. It is complete when an event brought the end mark and none reports an error."""
    events = list(events)
    replies = [heard(event) for event in events]
    return Reply(
        text="".join(reply.text for reply in replies),
        tools=any(reply.tools for reply in replies),
        complete=any(reply.complete for reply in replies) and not any(map(is_error, events)),
    )


def is_error(event: Mapping[str, Any]) -> bool:
    """True for an event that reports a failure, in any format."""
    return bool(event.get("error")) or event.get("type") == "error"


def aloud(content: object) -> str:
    """What ``content`` (a string, a part, or a list of parts) says aloud, spaces included; thoughts are not."""
    if isinstance(content, list):
        return "".join(aloud(part) for part in content if not isinstance(part, list))
    if is_object(content):
        key = text_key(content)
        return aloud_text(content.get(key)) if key else ""
    return aloud_text(content)


def aloud_text(value: object) -> str:
    """``value`` when it is a string, else nothing."""
    return value if isinstance(value, str) else ""
