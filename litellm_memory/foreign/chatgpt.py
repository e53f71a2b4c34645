"""ChatGPT: the conversations of its data export; each is a tree, of which the person saw one branch last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from litellm_memory.foreign.line import Json, Line, ShapeError, line_of, moment, name


def fits(record: Json) -> bool:
    """True for a conversation."""
    return isinstance(record.get("mapping"), dict)


def lines(record: Json) -> Iterator[Line | None]:
    """What the person said, each message as an episode with the answer to it; None for a picture or a file alone."""
    mapping = record.get("mapping")
    if not isinstance(mapping, dict):
        raise ShapeError("this is no conversation: it has no mapping")
    said = _branch(mapping, record.get("current_node"))
    for at, message in enumerate(said):
        if _role(message) != "user" or _is_hidden(message):
            continue
        if not _text(message):
            yield None
            continue
        answers = [text for later in _until_next_person(said[at + 1 :]) if (text := _text(later))]
        yield line_of(
            _text(message),
            id=name(message.get("id")),
            kind="episode",
            session=name(record.get("conversation_id") or record.get("id")),
            created=moment(message.get("create_time") or record.get("create_time")),
            reply=answers[-1] if answers else None,
        )


def _branch(mapping: Mapping[str, Any], newest: object) -> list[dict[str, Any]]:
    """The messages from the root to ``newest``; all by time when that is unknown."""
    nodes: list[Any] = []
    key = newest
    while isinstance(key, str) and isinstance(mapping.get(key), dict) and len(nodes) <= len(mapping):
        nodes.append(mapping[key])
        key = mapping[key].get("parent")
    messages = [
        node.get("message") for node in (reversed(nodes) if nodes else mapping.values()) if isinstance(node, dict)
    ]
    found = [message for message in messages if isinstance(message, dict)]
    return found if nodes else sorted(found, key=lambda message: moment(message.get("create_time")) or "")


def _until_next_person(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        if _role(message) == "user":
            return
        if _role(message) == "assistant":
            yield message


def _role(message: Json) -> object:
    author = message.get("author")
    return author.get("role") if isinstance(author, dict) else None


def _is_hidden(message: Json) -> bool:
    about = message.get("metadata")
    return isinstance(about, dict) and about.get("is_visually_hidden_from_conversation") is True


def _text(message: Json) -> str:
    """The words of a message, also those that were spoken; pictures, files and tool calls have none."""
    content = message.get("content")
    if not isinstance(content, dict):
        return ""
    parts = content.get("parts") if content.get("content_type") in ("text", "multimodal_text") else [content]
    texts = [part if isinstance(part, str) else _spoken(part) for part in parts] if isinstance(parts, list) else []
    return "\n".join(text for text in texts if text).strip()


def _spoken(part: object) -> str:
    """What was said in a voice conversation, as ChatGPT wrote it down."""
    is_voice = isinstance(part, dict) and part.get("content_type") == "audio_transcription"
    text = part.get("text") if isinstance(part, dict) and is_voice else None
    return text if isinstance(text, str) else ""
