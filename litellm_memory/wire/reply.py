"""A Reply from the events of an answer: each event is parsed into a small reply, and these are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from litellm_memory.models import Reply
from litellm_memory.wire.content import is_object, text_key
from litellm_memory.wire.format import Event

EMPTY = Reply("")
"""The reply of an event that adds nothing."""


def joined(events: Iterable[Event], reply_of: Callable[[Event], Reply]) -> Reply:
    """The whole reply. It is complete when one event marks the end and none reports an error."""
    events = list(events)
    replies = [reply_of(event) for event in events]
    return Reply(
        text="".join(reply.text for reply in replies),
        tools=any(reply.tools for reply in replies),
        complete=any(reply.complete for reply in replies) and not any(map(_is_error, events)),
    )


def visible_text(content: object) -> str:
    """The text of ``content`` (a string, a part, or a list of parts) with its spaces, but without thoughts."""
    if isinstance(content, list):
        return "".join(visible_text(part) for part in content if not isinstance(part, list))
    if is_object(content):
        key = text_key(content)
        content = content.get(key) if key else None
    return content if isinstance(content, str) else ""


def _is_error(event: Event) -> bool:
    """True for an event that reports a failure, in any format."""
    return bool(event.get("error")) or event.get("type") == "error"
