"""opencode: a session as `opencode export` writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from litellm_memory.foreign.line import Json
from litellm_memory.foreign.talk import Talk


def fits(records: Sequence[Json]) -> bool:
    """True for an exported session."""
    return any(isinstance(one.get("info"), dict) and isinstance(one.get("messages"), list) for one in records)


def conversations(records: Iterator[Json], left_out: Counter[str]) -> Iterator[Json]:
    """The conversation of each session; none for that of a subagent, which has a parent."""
    for record in records:
        about, messages = record.get("info"), record.get("messages")
        if not isinstance(about, dict) or not isinstance(messages, list) or about.get("parentID"):
            is_subagents = isinstance(about, dict) and isinstance(messages, list)
            left_out["subagent" if is_subagents else "unreadable"] += 1
            continue
        talk = Talk(
            {"user-agent": f"opencode/{about.get('version') or '0'}", "x-session-id": str(about.get("id") or "")},
            left_out,
            f"Working directory: {about['directory']}" if about.get("directory") else None,
        )
        for message in messages:
            if isinstance(message, dict) and isinstance(message.get("info"), dict):
                _tell(talk, message["info"], message.get("parts"))
        if (told := talk.conversation()) is not None:
            yield told


def _tell(talk: Talk, about: dict[str, Any], parts: object) -> None:
    """``synthetic`` and ``ignored`` parts were not typed by the person."""
    listed = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    texts = [part for part in listed if part.get("type") == "text" and not part.get("synthetic")]
    if about.get("role") == "user":
        when = about.get("time")
        typed = [part for part in texts if not part.get("ignored")]
        talk.person(typed, when.get("created") if isinstance(when, dict) else None)
    elif about.get("role") == "assistant":
        talk.answer(texts)
