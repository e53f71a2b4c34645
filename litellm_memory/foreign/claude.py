"""Claude: the conversations of its data export, and its memory of a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litellm_memory.foreign.line import Json, Line, ShapeError, line_of, moment, name
from litellm_memory.foreign.markdown import statements


def fits(record: Json) -> bool:
    """True for a conversation, or for the memory of an account."""
    return isinstance(record.get("chat_messages"), list) or "conversations_memory" in record


def lines(record: Json) -> Iterator[Line | None]:
    """Each message of the person as an episode with the answer to it, None for a file alone; each statement of its
    memory as a fact."""
    if "conversations_memory" in record:
        yield from _remembered(record)
        return
    messages = record.get("chat_messages")
    if not isinstance(messages, list):
        raise ShapeError("this is no conversation: it has no chat_messages")
    said = _branch([message for message in messages if isinstance(message, dict)], record)
    for at, message in enumerate(said):
        if message.get("sender") == "human" and not _text(message):
            yield None
        elif message.get("sender") == "human":
            answer = said[at + 1] if at + 1 < len(said) and said[at + 1].get("sender") == "assistant" else None
            yield line_of(
                _text(message),
                id=name(message.get("uuid")),
                kind="episode",
                session=name(record.get("uuid")),
                created=moment(message.get("created_at") or record.get("created_at")),
                reply=_text(answer) if answer else None,
            )


def _branch(messages: list[dict[str, Any]], record: Json) -> list[dict[str, Any]]:
    """The messages of the branch that the person saw last, in order; older exports name no parents, and all stay."""
    if not any(isinstance(message.get("parent_message_uuid"), str) for message in messages):
        return messages
    places = {str(message.get("uuid")): place for place, message in enumerate(messages)}
    place: int | None = places.get(str(record.get("current_leaf_message_uuid")), len(messages) - 1)
    found: dict[int, dict[str, Any]] = {}
    while place is not None and place not in found:
        found[place] = messages[place]
        parent = messages[place].get("parent_message_uuid")
        # One without a parent follows on the message before it; the first one's is no message.
        place = places.get(parent) if isinstance(parent, str) else place - 1 if place else None
    return list(found.values())[::-1]


def _remembered(record: Json) -> Iterator[Line]:
    projects = record.get("project_memories")
    texts = [("", record["conversations_memory"]), *(projects.items() if isinstance(projects, dict) else ())]
    for project, text in texts:
        for statement in statements(text if isinstance(text, str) else ""):
            # Claude identifies its projects by ids that no other client knows.
            yield line_of(statement, tags=["claude project"] if project else [])


def _text(message: dict[str, Any]) -> str:
    """The words of a message, without those of tools and files."""
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    told = [part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
    text = message.get("text")
    return ("\n".join(told) or (text if isinstance(text, str) else "")).strip()
