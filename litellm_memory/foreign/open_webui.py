"""Open WebUI: its exports of chats, of one person (Settings, Data) or of all (Admin Panel, Database)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litellm_memory.foreign.line import Json
from litellm_memory.foreign.talk import Talk


def fits(records: Sequence[Json]) -> bool:
    """True for an exported chat."""
    return any(isinstance(one.get("chat"), dict) and "user_id" in one for one in records)


def conversations(records: Iterator[Json], left_out: Counter[str]) -> Iterator[Json]:
    """The conversation of each chat, of the user under whose id live requests come too."""
    for record in records:
        chat = record.get("chat")
        if not isinstance(chat, dict):
            left_out["unreadable"] += 1
            continue
        talk = Talk({"x-openwebui-chat-id": str(record.get("id") or "")}, left_out)
        for message in _shown(chat):
            if message.get("role") == "user":
                talk.person(message.get("content"), message.get("timestamp") or record.get("created_at"))
            elif message.get("role") == "assistant":
                talk.answer(message.get("content"))
        if (told := talk.conversation(record.get("user_id"))) is not None:
            yield told


def _shown(chat: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The messages of the branch that the person saw last, oldest first; of older exports the list that they have."""
    history = chat.get("history")
    by_id = history.get("messages") if isinstance(history, dict) else None
    if not isinstance(by_id, dict):
        listed = chat.get("messages")
        return [message for message in listed if isinstance(message, dict)] if isinstance(listed, list) else []
    found: list[Mapping[str, Any]] = []
    key = history.get("currentId") if isinstance(history, dict) else None
    while isinstance(key, str) and isinstance(by_id.get(key), dict) and len(found) < len(by_id):
        found.append(by_id[key])
        key = by_id[key].get("parentId")
    return found[::-1]
