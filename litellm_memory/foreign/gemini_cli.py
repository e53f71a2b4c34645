"""Gemini CLI: its sessions, `~/.gemini/tmp/*/chats/session-*.jsonl`, or `.json` of older versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from litellm_memory.foreign.line import Json
from litellm_memory.foreign.talk import Talk


def fits(records: Sequence[Json]) -> bool:
    """True for the beginning of a session."""
    return any("projectHash" in one and "sessionId" in one for one in records)


def conversations(records: Iterator[Json], left_out: Counter[str]) -> Iterator[Json]:
    """The conversation of a session."""
    talk: Talk | None = None
    for record in records:
        if "projectHash" in record and talk is None:
            headers = {"user-agent": "GeminiCLI/0", "x-litellm-session-id": str(record.get("sessionId") or "")}
            talk = Talk(headers, left_out)
        for message in _messages(record):
            if talk is not None and message.get("type") == "user":
                talk.person(message.get("content"), message.get("timestamp"))
            elif talk is not None and message.get("type") == "gemini":
                talk.answer(message.get("content"))
    if talk is not None and (told := talk.conversation()) is not None:
        yield told


def _messages(record: Json) -> list[Json]:
    """The messages of a record: itself, or those of a whole session or of its beginning."""
    if record.get("type") in ("user", "gemini"):
        return [record]
    beginning = record.get("$set")
    listed = (beginning if isinstance(beginning, dict) else record).get("messages")
    return [message for message in listed if isinstance(message, dict)] if isinstance(listed, list) else []
